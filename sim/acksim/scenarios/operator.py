"""The operator's hands: kubectl where there is one, else the official Python client."""

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acksim.data_dir.layout import write_private
from acksim.settings import child_environment


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended: what a person would have typed, and what came back."""

    ok: bool
    command: str
    text: str


class Operator(Protocol):
    """What the stories do to a cluster."""

    def create_secret(self, name: str, **data: str) -> Outcome: ...
    def read_secret(self, name: str, field: str) -> Outcome: ...


def operator(kubeconfig: str, folder: Path) -> Operator:
    """An operator with this kubeconfig; `folder` takes its files and caches."""
    path = folder / "kubeconfig"
    write_private(path, kubeconfig)
    program = shutil.which("kubectl")
    return PythonOperator(path) if program is None else KubectlOperator(program, path, folder)


class KubectlOperator:
    """Runs kubectl."""

    def __init__(self, program: str, kubeconfig: Path, folder: Path) -> None:
        self._base = [program, f"--kubeconfig={kubeconfig}", f"--cache-dir={folder / 'cache'}"]

    def create_secret(self, name: str, **data: str) -> Outcome:
        literals = [f"--from-literal={key}={value}" for key, value in data.items()]
        return self._run("create", "secret", "generic", name, *literals)

    def read_secret(self, name: str, field: str) -> Outcome:
        outcome = self._run("get", "secret", name, "-o", f"jsonpath={{.data.{field}}}")
        if not outcome.ok:
            return outcome
        shown = f"kubectl get secret {name} -o jsonpath='{{.data.{field}}}' | base64 -d"
        return Outcome(True, shown, base64.b64decode(outcome.text).decode())

    def _run(self, *arguments: str) -> Outcome:
        done = subprocess.run(
            [*self._base, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=child_environment(),
            check=False,
        )
        text = done.stdout if done.returncode == 0 else done.stderr
        return Outcome(done.returncode == 0, "kubectl " + " ".join(arguments), text.strip())


class PythonOperator:
    """Uses the package `kubernetes`."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import client, config  # noqa: PLC0415 - a heavy import, needed only here

        self._exception = client.ApiException
        api = config.new_client_from_config(config_file=str(kubeconfig))
        self._core = client.CoreV1Api(api)

    def create_secret(self, name: str, **data: str) -> Outcome:
        command = f"core_v1.create_namespaced_secret('default', {name!r})"
        body = {"metadata": {"name": name}, "stringData": data}
        try:
            self._core.create_namespaced_secret("default", body)
        except self._exception as error:
            return Outcome(False, command, _message(error.body))
        return Outcome(True, command, f"secret/{name} created")

    def read_secret(self, name: str, field: str) -> Outcome:
        command = f"core_v1.read_namespaced_secret({name!r}, 'default').data[{field!r}]"
        try:
            secret = self._core.read_namespaced_secret(name, "default")
        except self._exception as error:
            return Outcome(False, command, _message(error.body))
        return Outcome(True, command, base64.b64decode(secret.data[field]).decode())


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(body)
