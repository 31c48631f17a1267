"""The ids that RAM gives: never used twice, and told apart by how they begin."""

import secrets


def new_id(first: str) -> str:
    """18 digits; those of users begin with 2, those of roles with 3, those of groups with 4."""
    return first + "".join(secrets.choice("0123456789") for _ in range(17))


def new_access_key() -> tuple[str, str]:
    """An access key's id and its secret."""
    return "LTAI5t" + secrets.token_hex(9), secrets.token_hex(15)
