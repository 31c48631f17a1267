"""One Kubernetes API server on its own: ``python -m apiserver_shim --etcd http://127.0.0.1:2379``."""

import argparse
import csv
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from apiserver_shim.api.server import run, serve
from apiserver_shim.app import ShimSettings, create_app
from apiserver_shim.clusters import DEFAULT_CLUSTER, ClusterSpec, StaticClusters, StaticToken
from apiserver_shim.storage.etcd import EtcdClient


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; returns the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if (options.cert is None) != (options.key is None):
        print("--cert and --key go together", file=sys.stderr)
        return 2
    try:
        tokens = read_tokens(options.token_file) if options.token_file else ()
        run(_serve(options, tokens))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace, tokens: tuple[StaticToken, ...]) -> None:
    host, _, port = options.listen.rpartition(":")
    spec = ClusterSpec(
        id=DEFAULT_CLUSTER,
        etcd_prefix=options.etcd_prefix,
        encryption_config=options.encryption_provider_config,
        tokens=tokens,
    )
    etcd = EtcdClient(options.etcd.split(","))
    app = create_app(
        ShimSettings(
            auth=options.auth,
            reload_seconds=60.0 if options.encryption_provider_config_automatic_reload else None,
        ),
        etcd=etcd,
        source=StaticClusters([spec]),
        now=lambda: datetime.now(UTC),
    )
    scheme = "https" if options.cert else "http"
    try:
        await serve(
            app,
            address=(host.strip("[]"), int(port)),
            certificate=(options.cert, options.key) if options.cert else None,
            client_ca=options.client_ca,
            ready=lambda bound: print(f"listening on {scheme}://{host}:{bound}", flush=True),
        )
    finally:
        await etcd.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apiserver_shim", description=__doc__)
    parser.add_argument("--etcd", required=True, metavar="URL,...", help="etcd's client endpoints")
    parser.add_argument("--etcd-prefix", default="/registry", metavar="PREFIX")
    parser.add_argument("--listen", default="127.0.0.1:6443", metavar="HOST:PORT")
    parser.add_argument("--cert", type=Path, help="server certificate chain (PEM); else plain HTTP")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument("--client-ca", type=Path, help="accept client certificates signed by this")
    parser.add_argument("--token-file", type=Path, help='CSV: token,user,uid,"group1,group2"')
    parser.add_argument("--encryption-provider-config", type=Path, metavar="FILE")
    parser.add_argument("--encryption-provider-config-automatic-reload", action="store_true")
    parser.add_argument("--auth", choices=("off", "soft", "strict"), default="strict")
    return parser


def read_tokens(path: Path) -> tuple[StaticToken, ...]:
    """Read a static token file as kube-apiserver's ``--token-auth-file``; raises ValueError."""
    tokens = []
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row or row == [""]:
                continue
            if len(row) < 3 or not row[0]:
                raise ValueError(f"{path}, line {number}: expected token,user,uid[,groups]")
            token, user, uid, *groups = (cell.strip() for cell in row)
            listed = groups[0].split(",") if groups else []
            tokens.append(StaticToken(token, user, uid, tuple(g.strip() for g in listed if g)))
    return tuple(tokens)


if __name__ == "__main__":
    sys.exit(main())
