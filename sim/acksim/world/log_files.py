"""The files that children write their output to: private, and of bounded size.

A child writes by itself, whatever program it is, so its file cannot be exchanged under it. It
appends, so the file can be emptied; what it held is kept beside it as `<name>.1`.
"""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

LOG_LIMIT = 8 * 1024 * 1024


def open_log(path: Path) -> BinaryIO:
    """For a child to append to; nobody but its owner may read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)  # an older version's file stays
    return os.fdopen(descriptor, "ab")


def bound_log(path: Path, *, limit: int = LOG_LIMIT) -> None:
    """Empty a file of more than `limit` bytes; `<name>.1` keeps the last `limit` of them.

    What a child writes between the copy and the emptying is lost.
    """
    # A disk that is full or a folder that is gone: the next look tries again.
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        if size <= limit:
            return
        kept = path.with_name(f"{path.name}.1")
        with path.open("rb") as source, open_log(kept) as target:
            target.truncate(0)
            source.seek(size - limit)
            target.write(source.read(limit))
        os.truncate(path, 0)
