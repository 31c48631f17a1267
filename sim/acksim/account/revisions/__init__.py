"""The history of the account's tables, one revision a module."""
