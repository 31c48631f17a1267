"""Signatures of requests: the server's side and the client's, on one canonical form."""
