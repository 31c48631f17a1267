"""Whether a cluster's API server is ready, and which of its checks fail."""

import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from sim.world import World

_FAILED = re.compile(r"^\[-\](\S+) failed", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`failing` names the checks of /readyz that fail; `report` is its text."""

    ready: bool
    failing: list[str]
    report: str


def readiness(world: World, cluster: dict[str, Any]) -> Readiness:
    """Asks `/readyz?verbose` as a load balancer would, without credentials."""
    context = ssl.create_default_context(cafile=world.facts.ca)
    url = f"{world.facts.kubernetes}{cluster['path']}/readyz?verbose"
    try:
        with urllib.request.urlopen(url, timeout=15, context=context) as answer:  # noqa: S310
            return Readiness(True, [], answer.read().decode())
    except urllib.error.HTTPError as error:
        report = error.read().decode(errors="replace")
        return Readiness(False, _FAILED.findall(report), report)
    except (urllib.error.URLError, OSError) as error:
        return Readiness(False, ["unreachable"], str(error))
