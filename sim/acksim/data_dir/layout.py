"""Where a world keeps what: the names inside its data directory."""

import errno
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

# A unix socket's path may have 103 bytes (macOS; Linux: 107), of which its name takes 31.
_SOCKET_ROOM = 103 - 31
# etcd before 3.6 takes as a socket's address only what looks like a host and its port.
ETCD_SOCKET, ETCD_PEER_SOCKET = "etcd:2379", "etcd:2380"
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


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
    def token(self) -> Path:
        """What the control API asks for."""
        return self.root / "token"

    @property
    def elsewhere(self) -> Path:
        """What worlds in other places told of themselves, a folder each."""
        return self.root / "elsewhere"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the world; see `acksim.data_dir.world_lock`."""
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
    def etcd_version(self) -> Path:
        """Of the newest etcd that wrote there: an older one would refuse to start."""
        return self.root / "etcd-version"

    @property
    def audit(self) -> Path:
        """What the API servers were asked, if that is kept."""
        return self.logs / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def sockets(self) -> Path:
        """Where the world's processes listen.

        Inside, unless that is too long for a socket, or has a letter that means something in the
        address of one (`unix:///…`) or in a list of addresses. Outside it hangs on nothing but
        the directory's own path: whoever asks later may have another TMPDIR.
        """
        inside = self.root / "kms"
        if len(os.fsencode(inside)) <= _SOCKET_ROOM and _PLAIN.fullmatch(str(inside)):
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"acksim-{digest}"  # noqa: S108 - a private directory, see `make`

    def socket(self, name: str) -> Path:
        """Of a plugin; a `name` has at most 30 letters."""
        return self.sockets / name

    @property
    def end_socket(self) -> Path:
        """Where `acksim up` hears that it shall end; see `acksim.data_dir.end_socket`."""
        return self.socket("end.sock")

    @property
    def etcd_socket(self) -> Path:
        """Where the world's own etcd listens."""
        return self.etcd_sockets / ETCD_SOCKET

    @property
    def etcd_sockets(self) -> Path:
        """A folder, named like a socket: who copies all but `*.sock` meets none."""
        return self.socket("etcd.sock")

    def make(self) -> "Layout":
        """Raises OSError, also when somebody else made the folder of the sockets before us."""
        for folder in (self.root, self.logs, self.sockets, self.etcd_sockets, self.clusters):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        if self.sockets.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is another user's", str(self.sockets))
        return self


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
