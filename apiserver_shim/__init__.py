"""A Kubernetes API server for a few kinds, many logical clusters in one process."""
