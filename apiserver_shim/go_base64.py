"""Base64 as Go's StdEncoding reads it: line breaks are skipped, padding is asked for."""

import binascii
import string

_LETTERS = frozenset((string.ascii_letters + string.digits + "+/").encode())


class CorruptInputError(ValueError):
    """No base64; ``at`` is the byte at which Go stops."""

    def __init__(self, at: int) -> None:
        super().__init__(f"illegal base64 data at input byte {at}")
        self.at = at


def decode(text: str) -> bytes:
    """Return what ``text`` stands for; raises CorruptInputError.

    The last letter may hold bits that are not used, as in Go.
    """
    joined = text.replace("\r", "").replace("\n", "")
    try:
        # binascii would take padding where a quantum is complete
        if len(joined) % 4 == 0 and not joined.endswith("==="):
            return binascii.a2b_base64(joined, strict_mode=True)
    except ValueError:
        pass
    raise CorruptInputError(_first_bad_byte(text.encode()))


def _first_bad_byte(data: bytes) -> int:
    places = [at for at, byte in enumerate(data) if byte not in b"\r\n"]
    for start in range(0, len(places), 4):
        quantum = places[start : start + 4]
        for index, at in enumerate(quantum):
            if data[at] in _LETTERS:
                continue
            if data[at] != ord("=") or index < 2:
                return at
            after = places[start + index + 1 :]
            if index == 3:
                return after[0] if after else at
            if not after:
                return len(data)
            if data[after[0]] != ord("="):
                return after[0] - 1
            return after[1] if len(after) > 1 else at
        if len(quantum) < 4:
            return len(data) - len(quantum)
    return len(data)
