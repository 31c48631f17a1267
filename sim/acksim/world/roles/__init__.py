"""The only place that puts the rooms together: one module a role, each one process.

The emulator is Alibaba's side: the APIs, the account, the control plane and its KMS plugins.
The API server is the cluster's side. They share the data directory and nothing else; a role
imports only what it runs.
"""
