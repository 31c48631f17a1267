"""The KMS domain, one noun per module."""
