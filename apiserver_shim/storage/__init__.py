"""Objects to bytes to etcd, and back."""
