"""The account, the managed control plane, and what people touch."""
