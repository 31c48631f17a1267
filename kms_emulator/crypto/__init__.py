"""The primitives. The only package here that touches `cryptography`."""
