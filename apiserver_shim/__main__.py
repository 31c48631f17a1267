"""One Kubernetes API server on its own: ``python -m apiserver_shim --etcd http://127.0.0.1:2379``."""

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from apiserver_shim import role_log
from apiserver_shim.api.server import run, serve
from apiserver_shim.app import ShimSettings, create_app
from apiserver_shim.clusters import DEFAULT_CLUSTER, ClusterSpec, StaticClusters, StaticToken
from apiserver_shim.encryption.live import verify
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import EncryptionConfigError
from apiserver_shim.kubernetes_version import KubernetesVersion
from apiserver_shim.storage.etcd import EtcdClient
from apiserver_shim.storage.etcd_auth import EtcdUser
from apiserver_shim.storage.etcd_member import EtcdTls


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; returns the exit status."""
    options = build_parser().parse_args(arguments)
    role_log.set_up(sys.stderr)
    if (options.cert is None) != (options.key is None):
        print("--cert and --key go together", file=sys.stderr)
        return 2
    try:
        tokens = read_tokens(options.token_file) if options.token_file else ()
        run(_serve(options, tokens))
    except (OSError, ValueError, EncryptionConfigError) as error:
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
        service_account_key=options.service_account_key_file,
        certificate_authority=options.root_ca_file,
        version=replace(
            options.kubernetes_version, unsafe_deletion=options.allow_unsafe_deletion or None
        ),
    )
    if spec.encryption_config is not None:
        runtime = Runtime(_now, version=replace(spec.version, kms_v1=True))
        reload = options.encryption_provider_config_automatic_reload
        await verify(spec.encryption_config, runtime, reload=reload)
    etcd = etcd_client(options)
    app = create_app(
        ShimSettings(
            auth=options.auth,
            audit_log=options.audit_log_path,
            reload_seconds=60.0 if options.encryption_provider_config_automatic_reload else None,
            compaction_seconds=options.etcd_compaction_interval or None,
        ),
        etcd=etcd,
        source=StaticClusters([spec]),
        now=_now,
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


def _now() -> datetime:
    return datetime.now(UTC)


def etcd_client(options: argparse.Namespace) -> EtcdClient:
    """Connect as the options say; raises OSError for files that cannot be read."""
    tls = user = None
    if options.etcd_cafile or options.etcd_certfile:
        authority, certificate, key = (
            path.read_bytes() if path else None
            for path in (options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile)
        )
        tls = EtcdTls(authority or b"", certificate, key)
    if options.etcd_user:
        file = options.etcd_password_file
        user = EtcdUser(options.etcd_user, file.read_text().rstrip("\n") if file else "")
    return EtcdClient(options.etcd.split(","), tls=tls, user=user)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apiserver_shim", description=__doc__)
    parser.add_argument("--etcd", required=True, metavar="URL,...", help="etcd's client endpoints")
    parser.add_argument("--etcd-cafile", type=Path, help="authority of etcd's certificate (PEM)")
    parser.add_argument("--etcd-certfile", type=Path, help="client certificate for etcd (PEM)")
    parser.add_argument("--etcd-keyfile", type=Path, help="its private key (PEM)")
    parser.add_argument("--etcd-user", metavar="NAME", help="user name, where etcd asks for one")
    parser.add_argument("--etcd-password-file", type=Path, help="file that holds its password")
    parser.add_argument(
        "--etcd-compaction-interval",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long etcd's history is kept at least; 0 leaves it alone (default: 300)",
    )
    parser.add_argument("--etcd-prefix", default="/registry", metavar="PREFIX")
    parser.add_argument("--listen", default="127.0.0.1:6443", metavar="HOST:PORT")
    parser.add_argument("--cert", type=Path, help="server certificate chain (PEM); else plain HTTP")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument("--client-ca", type=Path, help="accept client certificates signed by this")
    parser.add_argument("--token-file", type=Path, help='CSV: token,user,uid,"group1,group2"')
    parser.add_argument("--service-account-key-file", type=Path, help="signs account tokens (PEM)")
    parser.add_argument("--root-ca-file", type=Path, help="what accounts are told to trust (PEM)")
    parser.add_argument("--encryption-provider-config", type=Path, metavar="FILE")
    parser.add_argument("--encryption-provider-config-automatic-reload", action="store_true")
    parser.add_argument(
        "--kubernetes-version",
        type=KubernetesVersion.parse,
        default=KubernetesVersion(),
        metavar="1.N",
        help="release to pass for (default: 1.32)",
    )
    parser.add_argument(
        "--allow-unsafe-deletion",
        action="store_true",
        help="as feature gate AllowUnsafeMalformedObjectDeletion, which 1.37 sets by itself",
    )
    parser.add_argument("--audit-log-path", type=Path, help="write audit.k8s.io/v1 lines here")
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
