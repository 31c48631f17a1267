"""The Kubernetes KMS protocol, v1beta1 and v2: what an API server and a KMS plugin share."""
