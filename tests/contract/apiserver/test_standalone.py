"""``python -m apiserver_shim``: one default cluster, at the root."""

import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx

from tests.contract.apiserver.conftest import Authority
from tests.patience import PATIENCE


def test_it_serves_and_stops(etcd_url: str, authority: Authority, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('t1,alice,1,"system:masters"\n')
    chain, key = authority.server()
    command = [sys.executable, "-m", "apiserver_shim", f"--etcd={etcd_url}"]
    command += ["--listen=127.0.0.1:0", f"--etcd-prefix=/test/{tmp_path.name}"]
    command += [f"--cert={chain}", f"--key={key}", f"--client-ca={authority.path}"]
    command += [f"--token-file={tokens}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().removeprefix("listening on ").strip()
            context = ssl.create_default_context(cafile=str(authority.path))
            headers = {"authorization": "Bearer t1"}
            with httpx.Client(
                base_url=url, headers=headers, verify=context, trust_env=False, timeout=PATIENCE
            ) as client:
                secrets = "/api/v1/namespaces/default/secrets"
                made = client.post(secrets, json={"metadata": {"name": "x"}})
                assert made.status_code == 201, made.text
                for path in (secrets, f"/clusters/default{secrets}"):
                    names = [i["metadata"]["name"] for i in client.get(path).json()["items"]]
                    assert names == ["x"]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in {0, -signal.SIGTERM}


def test_half_a_certificate_is_refused() -> None:
    command = [sys.executable, "-m", "apiserver_shim", "--etcd=http://x:1", "--cert=x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (2, "--cert and --key go together\n")


def test_a_server_with_a_bad_encryption_configuration_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "enc.yaml"
    config.write_text("{{ configuration }}")
    command = [sys.executable, "-m", "apiserver_shim", "--etcd=http://127.0.0.1:1"]
    command += ["--listen=127.0.0.1:0", f"--encryption-provider-config={config}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "error while parsing file: error decoding encryption provider configuration file "
        f'"{config}": '
    )
    assert "Traceback" not in done.stderr
