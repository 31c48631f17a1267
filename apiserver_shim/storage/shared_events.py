"""Objects of watch events, opened and decoded once for all who watch.

Upstream's watch cache does as much: a change that a hundred clients follow is decrypted once.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from apiserver_shim.encryption.transformer import Transformer
from apiserver_shim.storage.etcd_pb2 import KeyValue

T = TypeVar("T")
_EventKey = tuple[int, int, bytes, bytes]

_MOST = 256
_LONGEST = 1 << 16  # what is larger is rare, and would only fill memory


class SharedEvents(Generic[T]):
    """The objects of the last events. They are shared: nobody may change them.

    An object is known by the revision of the event that told of it, so that each event is opened:
    what could be opened when it was stored may not be any more when it is deleted.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_EventKey, tuple[Transformer, T]] = OrderedDict()

    def find(self, revision: int, kv: KeyValue, transformer: Transformer) -> T | None:
        """Return what ``transformer`` made of the very same bytes in the event at ``revision``."""
        found = self._kept.get((revision, kv.mod_revision, kv.key, kv.value))
        return found[1] if found is not None and found[0] is transformer else None

    def keep(self, revision: int, kv: KeyValue, transformer: Transformer, opened: T) -> None:
        """Keep it for the next watch that is told of the event."""
        value = kv.value
        if len(value) > _LONGEST:
            return
        self._kept[revision, kv.mod_revision, kv.key, value] = (transformer, opened)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
