"""The whole emulator as a process, without API server: its etcd is never asked."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from acksim.clients.alibaba import Signer
from acksim.clients.kms import Kms
from acksim.clients.trail import TrailClient
from acksim.data_dir import control_token
from acksim.data_dir.layout import Layout
from acksim.listeners import free_port
from tests.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class Emulator:
    process: subprocess.Popen[bytes]
    endpoint: str
    control: str
    data_dir: Path

    def kms(self) -> Kms:
        return Kms.of_root(self.endpoint)

    def trail(self) -> TrailClient:
        return TrailClient(self.endpoint, Signer.of_root())

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.control + path, headers=self._headers)
        with urllib.request.urlopen(request) as answer:
            return orjson.loads(answer.read())

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.control + path, orjson.dumps(body), self._headers, method="POST"
        )
        with urllib.request.urlopen(request) as answer:
            return orjson.loads(answer.read())

    @property
    def _headers(self) -> dict[str, str]:
        token = control_token.read(Layout.of(self.data_dir).token)
        return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def wait(self) -> "Emulator":
        while True:
            try:
                urllib.request.urlopen(self.control + "/healthz").close()
            except OSError:
                assert self.process.poll() is None
                time.sleep(0.02)
            else:
                return self

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


Start = Callable[..., AbstractContextManager[Emulator]]


@contextmanager
def _emulator(data_dir: Path, **settings: str) -> Iterator[Emulator]:
    names = ("ACKSIM_PORT", "ACKSIM_TLS_PORT", "ACKSIM_CONTROL_PORT")
    ports = {name: str(free_port()) for name in names}
    command = [sys.executable, "-m", "acksim", "serve", "emulator", "--etcd", "http://127.0.0.1:9"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir)],
        env={**os.environ, **ports, **settings},
        stdin=subprocess.DEVNULL,
    )
    try:
        yield Emulator(
            process,
            f"http://127.0.0.1:{ports['ACKSIM_PORT']}",
            f"http://127.0.0.1:{ports['ACKSIM_CONTROL_PORT']}",
            data_dir,
        )
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def emulator() -> Start:
    """`with emulator(data_dir, ACKSIM_…=value) as started: started.wait()`"""
    return _emulator
