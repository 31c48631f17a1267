"""Where a world keeps what: the names inside its data directory."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# A unix socket's path may have 103 bytes (macOS; Linux: 107), of which its name takes 31.
_SOCKET_ROOM = 103 - 31


@dataclass(frozen=True, slots=True)
class Layout:
    """All of it is private to its owner: it holds keys and credentials."""

    root: Path

    @classmethod
    def of(cls, data_dir: str | Path) -> "Layout":
        return cls(Path(data_dir).absolute())

    @property
    def facts(self) -> Path:
        """Addresses of the running world, for `acksim env` and its like."""
        return self.root / "world.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def clock(self) -> Path:
        return self.root / "clock.json"

    @property
    def database(self) -> Path:
        """The account: credentials, trail, usage, clusters."""
        return self.root / "account.db"

    @property
    def kms(self) -> Path:
        """Keys; the emulator's own file, which nothing else opens."""
        return self.root / "kms.db"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def clusters(self) -> Path:
        return self.root / "clusters"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def audit(self) -> Path:
        """What the API servers were asked, if that is kept."""
        return self.logs / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def sockets(self) -> Path:
        """Where the KMS plugins listen: inside, unless that path is too long for a socket."""
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        outside = Path(tempfile.gettempdir()) / f"acksim-{digest}"
        for place in (self.root / "kms", outside):
            if len(os.fsencode(place)) <= _SOCKET_ROOM:
                return place
        return Path("/tmp") / outside.name  # noqa: S108 - a private directory, see `make`

    def socket(self, name: str) -> Path:
        """Of a plugin; a `name` has at most 30 letters."""
        return self.sockets / name

    def make(self) -> "Layout":
        for folder in (self.root, self.logs, self.sockets, self.clusters):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        return self
