"""Everything that can go wrong below the API edge, without HTTP.

``api/status.py`` alone turns these into ``metav1.Status``. Messages keep upstream's wording,
because operators search for it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from apiserver_shim.groups import qualified


class ObjectKey(Protocol):
    """What an error tells about the object it speaks of (``storage.store.Key`` fits)."""

    @property
    def resource(self) -> str: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def name(self) -> str: ...


class ShimError(Exception):
    """Root of this package's errors; ``message`` is safe to show to a client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(ShimError):
    """No object is stored under this key."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f'{qualified(key.resource)} "{key.name}" not found')
        self.key = key


class AlreadyExistsError(ShimError):
    """A create met an object under the same key."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f'{qualified(key.resource)} "{key.name}" already exists')
        self.key = key


class StaleWriteError(ShimError):
    """The object changed between read and write; nothing was written.

    ``latest`` is the ``StoredObject`` found instead, or None when the object is gone.
    """

    def __init__(self, key: ObjectKey, latest: Any) -> None:
        super().__init__(f'{key.resource} "{key.name}" has been modified')
        self.key = key
        self.latest = latest


class CompactedError(ShimError):
    """The revision asked for is no longer kept; ``revision`` is what was asked."""

    def __init__(self, revision: int) -> None:
        super().__init__("etcdserver: mvcc: required revision has been compacted")
        self.revision = revision


class FutureRevisionError(ShimError):
    """The revision asked for has not happened yet; ``current`` is 0 when etcd did not say."""

    def __init__(self, revision: int, current: int = 0) -> None:
        super().__init__("etcdserver: mvcc: required revision is a future revision")
        self.revision = revision
        self.current = current


class ContinueTokenError(ShimError):
    """A list's continue token that this server did not issue."""


class ReadableError(ShimError):
    """An unsafe delete met an object that can be read after all."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(
            "unsafe deletion is not allowed because the object is decodable from storage"
        )
        self.key = key


class TransformError(ShimError):
    """A value could not be sealed or opened; ``message`` is upstream's inner text.

    ``code`` is the gRPC code that a KMS plugin answered, "" when it was not that.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CorruptObjectError(TransformError):
    """An object that cannot be opened or decoded, on a server that may delete it unread."""

    def __init__(self, key: str, reason: str, *, code: str = "") -> None:
        super().__init__(
            f"StorageError: corrupt object, Code: 7, Key: {key}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: {reason}",
            code=code,
        )


class StorageReadError(ShimError):
    """Objects that cannot be read, in a list or a watch of a server that may delete them unread.

    ``failures`` are pairs of etcd key and message, a hundred at most; then ``truncated`` is set.
    """

    def __init__(
        self,
        message: str,
        *,
        resource: str,
        failures: Sequence[tuple[str, str]] = (),
        truncated: bool = False,
    ) -> None:
        super().__init__(message)
        self.resource = resource
        self.failures = tuple(failures)
        self.truncated = truncated


class YamlError(ShimError):
    """A YAML text that Kubernetes would refuse, in the words of its parser."""


class DecodeError(ShimError):
    """Bytes that are no object of the kinds known here."""


class EncodeError(ShimError):
    """An object that could not be read back: an unknown kind, or a field that does not fit."""


class StorageError(ShimError):
    """etcd refused, in its own words."""


class StorageUnavailableError(StorageError):
    """etcd is away or without a leader; the same request may succeed later."""


class TooLargeError(StorageError):
    """The encoded object exceeds what etcd takes in one request (1.5 MiB by default)."""


class StorageFullError(StorageError):
    """etcd's space quota is used up; writes stay refused until it is compacted and disarmed."""


class CorruptWatchError(StorageError):
    """A watch event that cannot be told, such as a delete whose old value is compacted away."""


class EncryptionConfigError(ShimError):
    """An EncryptionConfiguration that upstream would refuse, in upstream's words."""
