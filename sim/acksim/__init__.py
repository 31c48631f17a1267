"""The account, the managed control plane, and what people touch."""

VERSION = "0.1.0"
