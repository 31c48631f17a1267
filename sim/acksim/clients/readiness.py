"""Whether a cluster's API server is ready, which of its checks fail, and why."""

import re
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import yaml

from acksim.clients.kubernetes import load_user
from acksim.clients.world import World

_FAILED = re.compile(r"^\[-\](\S+) failed", re.MULTILINE)
_TIMEOUT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Readiness:
    """`failing`: the failing checks of /readyz and their reasons; `report`: its text."""

    ready: bool
    failing: dict[str, str]
    report: str


def readiness(world: World, cluster: dict[str, Any]) -> Readiness:
    """Asks `/readyz?verbose` as a load balancer would, and for reasons as an administrator."""
    context = ssl.create_default_context(cafile=world.facts.ca)
    base = f"{world.facts.kubernetes}{cluster['path']}/readyz"
    try:
        ready, report = _get(f"{base}?verbose", context)
        names = [] if ready else _FAILED.findall(report)
        if names:
            load_user(context, yaml.safe_load(world.kubeconfig(cluster["cluster_id"])))
        reasons = {name: _get(f"{base}/{name}", context)[1].strip() for name in names}
    except (urllib.error.URLError, OSError) as error:
        return Readiness(False, {"unreachable": str(error)}, str(error))
    return Readiness(ready, reasons, report)


def _get(url: str, context: ssl.SSLContext) -> tuple[bool, str]:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - our own https address
            return True, answer.read().decode()
    except urllib.error.HTTPError as error:
        return False, error.read().decode(errors="replace")
