"""/healthz, /livez and /readyz, with upstream's check names and texts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from apiserver_shim.api.request import ApiRequest, Reply, not_found_page, text_reply
from apiserver_shim.clusters import Cluster
from apiserver_shim.errors import ShimError

Check = Callable[[], Awaitable[None]]

ENDPOINTS = ("healthz", "livez", "readyz")
_ETCD_TIMEOUT = 2.0


async def health(request: ApiRequest) -> Reply:
    """Answer one endpoint, or one check of it."""
    endpoint, _, name = request.path[1:].partition("/")
    checks = await _checks(request.cluster, endpoint)
    if name:
        check = checks.get(name)
        return await _single(check) if check else not_found_page()
    excluded = set(request.query.get("exclude", ()))
    unknown = sorted(excluded - checks.keys())
    failures = await _run({n: c for n, c in checks.items() if n not in excluded})
    lines = [_line(name, excluded, failures) for name in checks]
    if unknown:
        listed = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
    if failures:
        return text_reply(500, "\n".join([*lines, f"{endpoint} check failed\n"]))
    if "verbose" in request.query:
        return text_reply(200, "\n".join([*lines, f"{endpoint} check passed\n"]))
    return text_reply(200, "ok")


def _line(name: str, excluded: set[str], failures: Mapping[str, str]) -> str:
    if name in excluded:
        return f"[+]{name} excluded: ok"
    return f"[-]{name} failed: reason withheld" if name in failures else f"[+]{name} ok"


async def _single(check: Check) -> Reply:
    failures = await _run({"": check})
    if failures:
        return text_reply(500, f"internal server error: {failures['']}\n")
    return text_reply(200, "ok")


async def _checks(cluster: Cluster, endpoint: str) -> dict[str, Check]:
    async def ping() -> None:
        """Succeed: whoever answers is alive."""

    async def etcd() -> None:
        async with asyncio.timeout(_ETCD_TIMEOUT):
            await cluster.store.latest_revision("namespaces")

    checks: dict[str, Check] = {"ping": ping, "etcd": etcd}
    # a restart would not bring a key back, which upstream saw in 1.29
    if endpoint != "livez" or cluster.spec.version.kms_in_livez:
        checks.update({check.name: check.run for check in await cluster.kms_checks()})
    return checks


async def _run(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all at once; return the errors of those that fail."""

    async def run(check: Check) -> str | None:
        try:
            await check()
        except TimeoutError:
            return "timed out"
        except ShimError as error:
            return error.message
        return None

    results = await asyncio.gather(*(run(check) for check in checks.values()))
    return {name: text for name, text in zip(checks, results, strict=True) if text is not None}
