"""How a server that may delete unreadable objects tells of them (KEP-3926).

Upstream: k8s.io/apiserver storage/etcd3/corrupt_obj_deleter.go, behind the feature gate
AllowUnsafeMalformedObjectDeletion.
"""

from collections.abc import Mapping, Sequence

from apiserver_shim.errors import (
    CorruptObjectError,
    DecodeError,
    ShimError,
    StorageReadError,
    TransformError,
)
from apiserver_shim.storage.etcd_pb2 import KeyValue

MOST_FAILURES = 100


def reason(error: ShimError, revision: int) -> str:
    """Return what is wrong with a value in upstream's words."""
    if isinstance(error, DecodeError):
        return f"object not decodable revision={revision}: {error.message}"
    return f"data from the storage is not transformable revision=0: {error.message}"


def corrupt(key: str, error: ShimError, revision: int) -> CorruptObjectError:
    """Return the error of one object, under its key as the error is to name it."""
    code = error.code if isinstance(error, TransformError) else ""
    return CorruptObjectError(key, reason(error, revision), code=code)


def unreadable_list(
    resource: str, kvs: Sequence[KeyValue], failures: Mapping[int, ShimError], *, told: bool
) -> StorageReadError:
    """Return the error of a list; ``told``: with the first failure in it, as since 1.37."""
    causes = []
    for index in sorted(failures)[:MOST_FAILURES]:
        kv = kvs[index]
        key = kv.key.decode(errors="replace")
        causes.append((key, corrupt(key, failures[index], kv.mod_revision).message))
    message = f"failed to read one or more {resource} from the storage"
    if told:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        message += f": {causes[0][1]}{more}"
    truncated = len(failures) > MOST_FAILURES
    return StorageReadError(message, resource=resource, failures=causes, truncated=truncated)


def unreadable_delete(resource: str, error: ShimError, revision: int) -> StorageReadError:
    """Return the error of a watch that meets the end of an object it cannot show."""
    return StorageReadError(
        f"saw a DELETED event, but object data is corrupt - {reason(error, revision)}",
        resource=resource,
    )
