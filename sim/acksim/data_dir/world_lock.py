"""Whether a world runs in a data directory: it does as long as somebody holds its lock file.

The kernel releases the lock with the process that took it, however that process ended, and shows
it to every process of the machine, in whatever pid namespace it asks. So nobody has to believe a
process id that was written down: after a crash or in a copied directory it is a stranger's.
"""

import fcntl
import os
import random
import time
from pathlib import Path


class LockHeldError(Exception):
    """Somebody else holds the lock: a world runs there."""


class WorldLock:
    """The lock of one data directory, held until `release` or the end of this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "WorldLock":
        """Makes the file if need be; raises LockHeldError, or OSError where that is impossible."""
        while True:
            lock = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            try:
                fcntl.flock(lock._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.release()
                if held(path):
                    raise LockHeldError(str(path)) from None
                time.sleep(random.uniform(0.001, 0.005))  # noqa: S311 - somebody only looked
                continue
            except BaseException:
                lock.release()
                raise
            if lock.stands():
                return lock
            lock.release()  # an ephemeral world removed the file between the two calls

    def stands(self) -> bool:
        """Whether the directory still has this very file: only then is what lies there ours."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def release(self) -> None:
        os.close(self._descriptor)


def held(path: Path) -> bool:
    """Whether a process holds the lock; looking changes nothing and keeps no `take` out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
