"""`acksim bench kms`: signed calls through the real port of an emulator that audits and meters.

Encrypt, Decrypt and GenerateDataKey by 1 and 32 clients, beside moto's server; the same with more
keys; memory; the start; one and two workers on PostgreSQL; and where the time goes. Requests are
signed before the clock runs, so that the client costs little beside what is measured.
"""

import asyncio
import base64
import json
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms
from acksim.listeners import free_port
from acksim.settings import DEFAULT_REGION
from alibaba_edge.ports import ROOT_ACCOUNT_ID
from benchmarks.bare import bare_server
from benchmarks.load import WARM_UP, Rate, Target, measure, say
from benchmarks.moto import moto_server, moto_target
from benchmarks.postgresql import temporary_server
from kms_emulator.app import open_store
from kms_emulator.keys import Key, PrimaryKeyVersion, Scope

CLIENTS = (1, 32)
KEYS = (10, 1_000, 10_000)
ACTIONS = ("Encrypt", "Decrypt", "GenerateDataKey")
PLAINTEXT = base64.b64encode(bytes(32)).decode()
_SIGNED_A_SECOND = 9_000
_ROOT = Path(__file__).parents[1]
_PORTS = ("ACKSIM_PORT", "ACKSIM_TLS_PORT", "ACKSIM_CONTROL_PORT")


@dataclass(frozen=True, slots=True)
class Emulator:
    """The process, its KMS and how long it took from nothing to its first Encrypt."""

    pid: int
    port: int
    kms: Kms
    started_in: float

    def cpu_seconds(self) -> float:
        """Of all its threads so far; what a busy machine does not distort."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def emulator(
    data_dir: Path, *, database: str = "", profile: Path | None = None
) -> Iterator[Emulator]:
    """Alibaba's side as `acksim up` runs it; nothing here needs its etcd."""
    ports = {name: str(free_port()) for name in _PORTS}
    profiler = ["-m", "cProfile", "-o", str(profile)] if profile else []
    role = ["-m", "acksim", "serve", "emulator", "--etcd", "http://127.0.0.1:9"]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *profiler, *role, "--data-dir", str(data_dir)],
        env={**os.environ, **ports, "ACKSIM_DATABASE": database},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(f"http://127.0.0.1:{ports['ACKSIM_CONTROL_PORT']}/healthz"):
            if process.poll() is not None:
                raise SystemExit("the emulator did not start")
            time.sleep(0.005)
        port = int(ports["ACKSIM_PORT"])
        kms = Kms.of_root(f"http://127.0.0.1:{port}")
        kms.call("Encrypt", KeyId="alias/acksim", Plaintext=PLAINTEXT)
        yield Emulator(process.pid, port, kms, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def signed_target(
    port: int, action: str, parameters: list[dict[str, str]], seconds: float
) -> Target:
    """Calls with each of `parameters` in turn, signed ahead."""
    signer, host, each = Signer.of_root(), f"127.0.0.1:{port}", cycle(parameters)

    def sign() -> bytes:
        signed = signer.sign(host, action, next(each))
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        return f"POST /?{signed.query} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n".encode()

    ready = [sign() for _ in range(int(_SIGNED_A_SECOND * (seconds + 0.5)))]
    return Target("127.0.0.1", port, lambda _: ready.pop() if ready else sign())


def parameters_of(kms: Kms, action: str, key_ids: list[str]) -> list[dict[str, str]]:
    if action == "Encrypt":
        return [{"KeyId": key_id, "Plaintext": PLAINTEXT} for key_id in key_ids]
    if action == "GenerateDataKey":
        return [{"KeyId": key_id} for key_id in key_ids]
    sealed = [kms.call("Encrypt", KeyId=key_id, Plaintext=PLAINTEXT) for key_id in key_ids]
    return [{"CiphertextBlob": answer["CiphertextBlob"]} for answer in sealed]


async def fill(database: str | Path, number: int) -> list[str]:
    """Keys straight into the store; their ids."""
    store, scope = open_store(database), Scope(ROOT_ACCOUNT_ID, DEFAULT_REGION)
    now = datetime.now(UTC)
    ids = [f"00000000-0000-4000-8000-{n:012d}" for n in range(number)]
    for key_id in ids:
        version = PrimaryKeyVersion(key_id.replace("-8000-", "-9000-"), now, os.urandom(32))
        await store.add(Key(scope, key_id, now, version, ROOT_ACCOUNT_ID))
    await store.close()
    return ids


def rate(target: Target, clients: int, seconds: float) -> dict[str, float]:
    return _figures(asyncio.run(measure(target, clients=clients, seconds=seconds)))


def _figures(measured: Rate) -> dict[str, float]:
    return {
        "per_second": round(measured.per_second, 1),
        "p50_ms": round(measured.p50, 2),
        "p99_ms": round(measured.p99, 2),
        "errors": measured.errors,
    }


def beside_moto(seconds: float, peers: str) -> dict[str, dict[str, float]]:
    rates: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        started = stack.enter_context(emulator(Path(folder)))
        moto_port = stack.enter_context(moto_server(peers))
        bare_port = stack.enter_context(bare_server())
        key_id = started.kms.create_key()["KeyId"]
        for action in ACTIONS:
            parameters = parameters_of(started.kms, action, [key_id])
            for clients in CLIENTS:
                ours = signed_target(started.port, action, parameters, seconds)
                rates[f"acksim {action}, {clients}"] = rate(ours, clients, seconds)
                theirs = moto_target(moto_port, action)
                rates[f"moto {action}, {clients}"] = rate(theirs, clients, seconds)
        for clients in CLIENTS:  # with Encrypt's own requests
            parameters = parameters_of(started.kms, "Encrypt", [key_id])
            empty = signed_target(bare_port, "Encrypt", parameters, seconds)
            rates[f"bare uvicorn, {clients}"] = rate(empty, clients, seconds)
    return rates


def by_number_of_keys(seconds: float) -> dict[str, dict[str, float]]:
    """Encrypt by 32 clients under all keys in turn."""
    rates: dict[str, dict[str, float]] = {}
    for number in KEYS:
        with tempfile.TemporaryDirectory() as folder:
            with emulator(Path(folder)):
                pass  # makes its files
            ids = asyncio.run(fill(Path(folder) / "kms.db", number))
            with emulator(Path(folder)) as started:
                parameters = parameters_of(started.kms, "Encrypt", ids)
                target = signed_target(started.port, "Encrypt", parameters, seconds + number / 1000)
                # The first use of a key reads it from the database; the second does not.
                rate(target, CLIENTS[-1], number / 1000)
                before = started.cpu_seconds()
                measured = rate(target, CLIENTS[-1], seconds)
                share = seconds / (seconds + WARM_UP)  # the rest was not counted as calls
                spent = (started.cpu_seconds() - before) * share
                rates[f"{number} keys"] = measured | {
                    "cpu_us_a_call": round(spent / measured["per_second"] / seconds * 1e6),
                    "resident_mib": round(started.resident_mib(), 1),
                    "start_s": round(started.started_in, 2),
                }
    return rates


def on_postgresql(seconds: float) -> dict[str, dict[str, float]]:
    """Encrypt by 32 clients in all, at one worker and at two."""
    rates: dict[str, dict[str, float]] = {}
    for workers in (1, 2):
        with ExitStack() as stack:
            database = stack.enter_context(temporary_server()).new_database()
            started = []
            for _ in range(workers):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                started.append(stack.enter_context(emulator(folder, database=database)))
            key_id = started[0].kms.create_key()["KeyId"]
            parameters = parameters_of(started[0].kms, "Encrypt", [key_id])
            targets = [signed_target(each.port, "Encrypt", parameters, seconds) for each in started]
            measured = asyncio.run(_together(targets, CLIENTS[-1] // workers, seconds))
            rates[f"PostgreSQL, {workers} worker{'s' * (workers > 1)}"] = {
                "per_second": round(sum(each.per_second for each in measured), 1),
                "p50_ms": round(max(each.p50 for each in measured), 2),
                "p99_ms": round(max(each.p99 for each in measured), 2),
                "errors": sum(each.errors for each in measured),
            }
    return rates


async def _together(targets: list[Target], clients: int, seconds: float) -> list[Rate]:
    runs = (measure(target, clients=clients, seconds=seconds) for target in targets)
    return list(await asyncio.gather(*runs))


def profile(seconds: float) -> dict[str, float]:
    """Microseconds of the event loop's thread a call, by who spends them; 32 clients, Encrypt."""
    idle, loaded = _profiled(0.0), _profiled(seconds)
    calls = next(
        count
        for (path, _, name), (_, count, *_) in loaded.items()
        if name == "_render" and path.endswith("gateway/pipeline.py")
    )
    spent: Counter[str] = Counter()
    for place, (_, _, own, _, _) in loaded.items():
        path, _, name = place
        spent[_owner(path, name)] += own - (idle[place][2] if place in idle else 0)
    return {owner: round(own / calls * 1e6, 1) for owner, own in spent.most_common(16)}


def _profiled(seconds: float) -> dict[Any, Any]:
    """What an emulator did from its start, through so many seconds of load, to its end."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "profile"
        with emulator(Path(folder) / "world", profile=output) as started:
            if seconds:
                key_id = started.kms.create_key()["KeyId"]
                parameters = parameters_of(started.kms, "Encrypt", [key_id])
                target = signed_target(started.port, "Encrypt", parameters, seconds)
                rate(target, CLIENTS[-1], seconds)
        table: Any = pstats.Stats(str(output))
        stats: dict[Any, Any] = table.stats
        return stats


def _owner(path: str, name: str) -> str:
    """Two words of a library's path, three of our own; a builtin by its name."""
    if path == "~":
        return name
    parts = Path(path).with_suffix("").parts
    if "site-packages" in parts:
        return ".".join(parts[parts.index("site-packages") + 1 :][:2])
    if Path(path).is_relative_to(_ROOT):
        return ".".join(parts[len(_ROOT.parts) :][:3])
    return ".".join(parts[-2:])


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "number of keys (Encrypt, 32 clients)": by_number_of_keys,
    "database (Encrypt, 32 clients)": on_postgresql,
    "event loop, µs a call under cProfile": profile,
}


def main(seconds: float, peers: str, *, as_json: bool) -> int:
    say("beside moto")
    results: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "beside moto (clients)": beside_moto(seconds, peers),
    }
    for name, run in MEASUREMENTS.items():
        say(name)
        results[name] = run(seconds)
    if as_json:
        print(json.dumps(results))
    else:
        _print(results)
    return 0


def _print(results: dict[str, Any]) -> None:
    for name, value in results.items():
        print(f"\n{name}: {'' if isinstance(value, dict) else value}")
        for row, figures in value.items() if isinstance(value, dict) else ():
            if isinstance(figures, dict):
                print(f"  {row:<32}" + "  ".join(f"{n} {v}" for n, v in figures.items()))
            else:
                print(f"  {row:<56}{figures:>8}")
    rates = results["beside moto (clients)"]
    for row in [row for row in rates if row.startswith("acksim")]:
        ours, clients = rates[row]["per_second"], row.rpartition(", ")[2]
        times = ours / rates[row.replace("acksim", "moto")]["per_second"]
        share = ours / rates[f"bare uvicorn, {clients}"]["per_second"]
        print(
            f"{row.removeprefix('acksim ')}: {times:.1f} times moto's calls a second, "
            f"{share:.0%} of an empty uvicorn's"
        )
