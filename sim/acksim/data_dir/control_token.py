"""The token that the control API asks for: random, in a file that its owner alone may read."""

import secrets
from pathlib import Path

from acksim.data_dir.layout import write_private
from acksim.settings import SettingsError

_RANDOM_BYTES = 32
_SHORTEST = 16


def renew(path: Path) -> str:
    """A new token in place of an older one; a world that starts does this."""
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    write_private(path, token + "\n")
    return token


def ensure(path: Path) -> str:
    """The token there, made when there is none; several emulators agree on one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        renew(draft)
        try:
            path.hardlink_to(draft)  # unlike a rename, never replaces another's token
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read(path)


def read(path: Path) -> str:
    """Raises SettingsError for a file that holds no token, OSError for one that cannot be read."""
    token = path.read_text(errors="replace").strip()
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{path} holds no token ({_SHORTEST} printable ASCII letters or more); "
            "remove it, and the next start makes one"
        )
    return token
