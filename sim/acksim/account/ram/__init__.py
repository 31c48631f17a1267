"""RAM: who is in an account, and what they may do."""
