"""Clients of a world: the cloud's APIs, Kubernetes, etcd and the control API."""
