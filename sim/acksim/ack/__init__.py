"""The managed control plane: clusters and their certificates."""
