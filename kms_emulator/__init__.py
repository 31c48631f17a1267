"""Alibaba Cloud KMS 2016-01-20 in miniature, usable alone."""
