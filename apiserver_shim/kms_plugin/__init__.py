"""The other end of the socket: a Kubernetes KMS plugin that calls Alibaba Cloud KMS."""
