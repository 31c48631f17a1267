"""Where a list goes on: the ``continue`` token (k8s.io/apiserver storage/continue.go)."""

import base64
import binascii
import posixpath
from typing import NamedTuple

import orjson

from apiserver_shim.errors import ContinueTokenError

_VERSION = "meta.k8s.io/v1"
_TOO_LARGE = 1 << 63


class ContinueToken(NamedTuple):
    """``start`` is relative to the list's prefix; ``revision`` -1 means "at whatever is newest"."""

    start: str
    revision: int

    def encode(self) -> str:
        """Return the token as clients carry it."""
        text = orjson.dumps({"v": _VERSION, "rv": self.revision, "start": self.start})
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")


def decode(token: str) -> ContinueToken:
    """Read a client's token; raises ContinueTokenError with upstream's text."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        fields = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        version, revision, start = fields.get("v"), fields.get("rv", 0), fields.get("start", "")
    except (AttributeError, ValueError, binascii.Error) as error:
        raise _invalid(f": {error}") from None
    if version != _VERSION:
        raise _invalid(f": server does not recognize this encoded version {version!r}")
    if type(revision) is not int or revision == 0 or not -1 <= revision < _TOO_LARGE:
        raise _invalid(f": incorrect encoded start resourceVersion (version {_VERSION})")
    if not isinstance(start, str) or not start:
        raise _invalid(f": encoded start key empty (version {_VERSION})")
    if posixpath.normpath("/" + start) != "/" + start:
        raise _invalid(f": {start}")
    return ContinueToken(start, revision)


def _invalid(detail: str) -> ContinueTokenError:
    return ContinueTokenError(f"invalid continue token: continue key is not valid{detail}")
