"""What every door offers: make, change and remove a thing, and read it back."""

from dataclasses import dataclass

from tests.crash.ledger import Value


class UnansweredError(Exception):
    """Whether the request did anything is not known."""


class RefusedError(Exception):
    """The request was answered, and did nothing; the text is the answer."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer said: the action and its RequestId where a trail is kept, whether the bill
    counts it, and the thing's name where the server chose it."""

    action: str = ""
    request_id: str = ""
    name: str = ""
    billed: bool = False


class Door:
    """Every request raises UnansweredError or RefusedError."""

    kind: str
    changes = 0  # of each thing, before it is removed or left alone
    removable = True
    server_named = False  # so that nobody can ask for what an unanswered request made
    most_kept = 1_000_000  # from then on every thing is removed
    probed = False  # after each blow: whether a new thing can be made
    pause = 0.05  # seconds between two requests

    def value(self, number: int) -> str:
        """The content that the request of this number gives a thing."""
        raise NotImplementedError

    def create(self, name: str, value: str) -> Receipt:
        raise NotImplementedError

    def change(self, name: str, value: str) -> Receipt:
        raise NotImplementedError

    def remove(self, name: str) -> Receipt:
        raise NotImplementedError

    def ready(self, name: str) -> bool:
        """Whether the thing can be changed yet."""
        return True

    def read(self, name: str) -> Value:
        raise NotImplementedError

    def read_all(self) -> dict[str, str] | None:
        """Every thing at once, where that can be asked for."""
        return None

    def close(self) -> None:
        """After the last request."""
