"""Writing files that only their owner may read: keys, credentials, orders."""

import os
from pathlib import Path


def write_private(path: Path, content: str | bytes) -> None:
    """Replaces `path` as a whole: a reader sees the old content or the new, nobody else any."""
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        draft.replace(path)
    except BaseException:  # a full disk leaves no half-written draft behind
        draft.unlink(missing_ok=True)
        raise
