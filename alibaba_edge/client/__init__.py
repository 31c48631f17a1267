"""Calls to Alibaba Cloud's APIs, signed."""
