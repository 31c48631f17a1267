"""Tokens that only this service can have made: their content, and a MAC over it.

They are remembered nowhere, so that any number may be out, and any process with the same
database takes those of any other, also after a restart.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sqlalchemy import Connection, select

from acksim.account.database import Database
from acksim.account.tables import signing_keys

_NAME = "tokens"
_MAC_BYTES = 16


class Seals:
    """One key for all kinds of tokens; a token of one purpose is none of another."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    async def of(cls, database: Database) -> "Seals":
        """With the database's key, which the first one makes."""

        def work(connection: Connection) -> bytes:
            new = {"name": _NAME, "key": secrets.token_bytes(32)}
            connection.execute(database.insert(signing_keys).values(new).on_conflict_do_nothing())
            query = select(signing_keys.c.key).where(signing_keys.c.name == _NAME)
            return bytes(connection.execute(query).scalar_one())

        return cls(await database.run(work))

    def seal(self, purpose: str, content: bytes) -> str:
        return urlsafe_b64encode(self._mac(purpose, content) + content).decode()

    def open(self, purpose: str, token: str) -> bytes | None:
        """The content, or None for a token that was not sealed here for this purpose."""
        try:
            sealed = urlsafe_b64decode(token)
        except ValueError:
            return None
        if urlsafe_b64encode(sealed).decode() != token:  # decoding overlooks what it cannot read
            return None
        mac, content = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        return content if hmac.compare_digest(mac, self._mac(purpose, content)) else None

    def _mac(self, purpose: str, content: bytes) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0".encode() + content, hashlib.sha256)[
            :_MAC_BYTES
        ]
