"""Every command, its options and an example: argparse alone, no other import."""

import argparse

from acksim import VERSION
from acksim.cli.bill_parser import add_bill
from acksim.cli.command import Commands
from acksim.cli.command import command as _command
from acksim.cli.command import data_dir as _data_dir
from acksim.cli.command import group as _group
from acksim.cli.command import json_option as _json
from acksim.cli.ram_parser import add_ram

_OVERVIEW = """\
Alibaba Cloud KMS, ACK and Kubernetes Secret encryption in miniature, offline.

  acksim demo          the story: a key is disabled, a cluster suffers, a key is lost
  acksim up            a world that stays; prints what to paste
  acksim test          the test-suite (in a checkout)
"""
_REWRITE = (
    "rewrite the stored Secrets that are not sealed as new ones are: by another key, an older "
    "version of it, or nobody. With KMS v1 an older version is not stale to the API server; those "
    "alone get the annotation encryption-key-rotation-time, as by the documented kubectl command. "
    "Safe to interrupt and to run again"
)
_COVERAGE = "which provider, key and key version each stored Secret depends on, as etcd tells"


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; each command carries its handler as `module:function`."""
    parser = argparse.ArgumentParser(
        prog="acksim", description=_OVERVIEW, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"acksim {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_story(commands)
    _add_world(commands)
    _add_clusters(commands)
    _add_keys(commands)
    add_ram(commands)
    _add_views(commands)
    add_bill(commands)
    _add_clock(commands)
    _add_roles(commands)
    return parser


def _add_story(commands: Commands) -> None:
    demo = _command(commands, "demo", "acksim.cli.demo:demo", "a key is broken, a cluster suffers")
    demo.epilog = "example: acksim demo --fast"
    demo.add_argument(
        "--story",
        choices=("broken-key", "arrears"),
        default="broken-key",
        help="a key is disabled and lost (default), or an account is not paid for",
    )
    demo.add_argument("--fast", action="store_true", help="no pauses for reading")
    demo.add_argument("--json", action="store_true", help="one JSON line a claim, for programs")
    demo.add_argument("--world", metavar="URL", help="use the world whose control API is there")
    demo.add_argument("--etcd", metavar="URL,…", help="a running etcd; its /registry is taken")
    test = _command(commands, "test", "acksim.cli.checkout:test", "the test-suite, in a checkout")
    test.epilog = "example: acksim test -k outage -x"
    test.set_defaults(passes_on=True)
    bench = _command(commands, "bench", "acksim.cli.checkout:bench", "the measured table")
    bench.epilog = "example: acksim bench --json"
    bench.set_defaults(passes_on=True)


def _add_world(commands: Commands) -> None:
    up = _command(commands, "up", "acksim.cli.world:up", "start a world that stays")
    up.epilog = "example: acksim up --detach && eval $(acksim env) && kubectl get secrets -A"
    _data_dir(up)
    up.add_argument(
        "--etcd",
        metavar="URL,…",
        help="a running etcd; its /registry is taken (ACKSIM_ETCD)",
    )
    up.add_argument("--seed", metavar="FILE", help="keys and accounts to begin with (ACKSIM_SEED)")
    up.add_argument("--auth", choices=("off", "soft", "strict"), help="(ACKSIM_AUTH)")
    up.add_argument(
        "--audit",
        action="store_true",
        help="write what API servers are asked to logs/audit.log (ACKSIM_AUDIT)",
    )
    up.add_argument("--detach", action="store_true", help="return when the world is ready")
    up.add_argument("--ephemeral", action="store_true", help="forget everything at the end")
    # Of the child of `--detach`: where it says that the world is ready.
    up.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    up.add_argument("--free-ports", action="store_true", help="take any free ports")
    down = _command(commands, "down", "acksim.cli.world:down", "end the world")
    down.epilog = "example: acksim down"
    _data_dir(down)
    status = _command(commands, "status", "acksim.cli.world:status", "what runs and how it feels")
    status.epilog = "example: acksim status --json"
    _data_dir(status)
    _json(status)
    env = _command(commands, "env", "acksim.cli.world:env", "lines for your shell")
    env.epilog = "example: eval $(acksim env)"
    _data_dir(env)
    _json(env)
    kubeconfig = _command(commands, "kubeconfig", "acksim.cli.world:kubeconfig", "for kubectl")
    kubeconfig.epilog = "example: acksim kubeconfig > kubeconfig.yaml"
    kubeconfig.add_argument("cluster", nargs="?", default="default", help="id (default: default)")
    _data_dir(kubeconfig)
    doctor = _command(
        commands, "doctor", "acksim.cli.doctor:doctor", "what is missing or unsafe here"
    )
    doctor.epilog = "example: acksim doctor"
    _data_dir(doctor)
    _json(doctor)


def _add_clusters(commands: Commands) -> None:
    group = _group(commands, "cluster", "clusters of the managed control plane")
    create = _command(group, "create", "acksim.cli.cluster:create", "a new cluster")
    create.epilog = "example: acksim cluster create shop --key alias/acksim --kms v2"
    create.add_argument("name")
    create.add_argument("--key", metavar="KEY", help="key id or alias that seals its Secrets")
    create.add_argument("--kms", choices=("v1", "v2"), default="v1", help="KMS provider version")
    create.add_argument(
        "--kubernetes-version", metavar="1.N", help="the release that its API server plays"
    )
    listing = _command(group, "list", "acksim.cli.cluster:list_clusters", "all clusters")
    listing.epilog = "example: acksim cluster list"
    show = _command(
        group, "show", "acksim.cli.encryption:show", "its state, its key, its last events"
    )
    show.epilog = "example: acksim cluster show default"
    encrypt = _command(group, "encrypt", "acksim.cli.encryption:encrypt", "seal Secrets with a key")
    encrypt.epilog = "example: acksim cluster encrypt default --key alias/acksim"
    encrypt.add_argument("--key", metavar="KEY", required=True, help="key id, alias or ARN")
    decrypt = _command(
        group, "decrypt", "acksim.cli.encryption:decrypt", "seal new Secrets no more"
    )
    decrypt.epilog = "example: acksim cluster decrypt default"
    for command in (encrypt, decrypt):
        command.add_argument("--no-wait", action="store_true", help="return once it has begun")
        command.add_argument(
            "--timeout",
            type=float,
            default=300,
            metavar="SECONDS",
            help="of waiting (default: 300)",
        )
    restart = _command(
        group, "restart", "acksim.cli.cluster:restart", "its API server starts afresh"
    )
    restart.epilog = "example: acksim cluster restart default"
    delete = _command(group, "delete", "acksim.cli.cluster:delete", "the cluster and all it stored")
    delete.epilog = "example: acksim cluster delete c0123456789abcdef0123456789abcdef"
    for command in (show, encrypt, decrypt, restart, delete):
        command.add_argument("cluster", help="the cluster's id")
    rewrite = _command(group, "rewrite", "acksim.cli.rewrite:rewrite", "the storage migration")
    rewrite.description = _REWRITE
    rewrite.epilog = "example: acksim cluster rewrite default"
    rewrite.add_argument("cluster", help="the cluster's id")
    rewrite.add_argument(
        "--concurrency",
        type=_up_to_64,
        metavar="N",
        default=8,
        help="requests under way at its API server, 1 to 64 (default: 8)",
    )
    coverage = _command(group, "coverage", "acksim.cli.coverage:coverage", "what Secrets need")
    coverage.description = _COVERAGE
    coverage.epilog = "example: acksim cluster coverage --key alias/acksim || echo keep it"
    coverage.add_argument("cluster", nargs="?", help="id (default: all clusters)")
    coverage.add_argument(
        "--key",
        metavar="KEY",
        help="may this key, or key version, be deleted? Exit code 0: nothing depends on it, 1: "
        "something does, or nobody knows it",
    )
    for command in (create, listing, show, encrypt, decrypt, restart, delete, rewrite, coverage):
        _data_dir(command)
        _json(command)


def _add_keys(commands: Commands) -> None:
    group = _group(commands, "kms", "keys: signed calls to the KMS, as any client's")
    create = _command(group, "create", "acksim.cli.kms:create", "a new key")
    create.epilog = "example: acksim kms create --alias alias/shop"
    create.add_argument("--alias", metavar="alias/NAME", help="give it a name, too")
    create.add_argument("--description", default="", help="what it is for")
    listing = _command(group, "list", "acksim.cli.kms:list_keys", "all keys and their states")
    listing.epilog = "example: acksim kms list --json"
    keyed = []
    for name, meaning in (
        ("disable", "refuse every use of it"),
        ("enable", "allow its use again"),
        ("schedule-deletion", "let it vanish after a window"),
        ("cancel-deletion", "keep it after all"),
        ("rotate", "a new version, now; the cloud only rotates by policy"),
    ):
        handler = f"acksim.cli.kms:{name.replace('-', '_')}"
        command = _command(group, name, handler, meaning)
        command.epilog = f"example: acksim kms {name} alias/acksim"
        command.add_argument("key", help="key id or alias")
        keyed.append(command)
    keyed[2].add_argument("--days", type=int, default=7, help="7 to 366 (default: 7)")
    for command in (create, listing, *keyed):
        _data_dir(command)
        _json(command)


def _add_views(commands: Commands) -> None:
    group = _group(commands, "etcd", "what really lies in etcd")
    listing = _command(group, "ls", "acksim.cli.etcd:ls", "keys and how each value is sealed")
    listing.epilog = "example: acksim etcd ls /registry/secrets/"
    listing.add_argument("prefix", nargs="?", default="/registry/", help="(default: /registry/)")
    get = _command(group, "get", "acksim.cli.etcd:get", "one value: its bytes and what they mean")
    get.epilog = "example: acksim etcd get /registry/secrets/default/app1"
    get.add_argument("key", help="the etcd key")
    trail = _add_trail(commands)
    for command in (listing, get, trail):
        _data_dir(command)
        _json(command)


def _add_trail(commands: Commands) -> argparse.ArgumentParser:
    trail = _command(commands, "trail", "acksim.cli.trail:trail", "who called what (ActionTrail)")
    trail.epilog = "example: acksim trail --role AliyunCSManagedSecurityRole --name Decrypt"
    trail.add_argument("--name", metavar="EVENT", help="only this operation, such as Decrypt")
    trail.add_argument("--user", help="only calls of this user, such as alice or role:session")
    trail.add_argument("--role", help="only calls of this role, in any session")
    trail.add_argument("--service", help="only this product, such as Kms or Ram")
    trail.add_argument("--resource", help="only on this resource, such as a key id")
    trail.add_argument("--rw", choices=("read", "write"), help="only calls of this kind")
    trail.add_argument("--region", help="whose events (default: cn-hangzhou)")
    trail.add_argument(
        "--since",
        metavar="TIME",
        help="2026-01-02T03:04:05Z, or 36h for that long ago (default: 7 days before the end)",
    )
    trail.add_argument("--until", metavar="TIME", help="likewise (default: now)")
    trail.add_argument("--limit", type=_count, default=20, help="(default: 20)")
    trail.add_argument("--follow", action="store_true", help="go on with what happens")
    return trail


def _add_clock(commands: Commands) -> None:
    group = _group(commands, "clock", "the simulated time")
    show = _command(group, "show", "acksim.cli.clock:show", "what time it is there")
    advance = _command(group, "advance", "acksim.cli.clock:advance", "move it forward")
    advance.epilog = "example: acksim clock advance 8d"
    advance.add_argument("duration", help="such as 90s, 36h, 8d or 1d12h")
    freeze = _command(group, "freeze", "acksim.cli.clock:freeze", "let it stand still")
    reset = _command(group, "reset", "acksim.cli.clock:reset", "back to the wall clock")
    for command in (show, advance, freeze, reset):
        command.epilog = command.epilog or f"example: acksim clock {command.prog.split()[-1]}"
        _data_dir(command)
        _json(command)


def _add_roles(commands: Commands) -> None:
    group = _group(commands, "serve", "one role alone, as the containers do")
    emulator = _command(group, "emulator", "acksim.cli.serve:emulator", "Alibaba's side")
    emulator.epilog = "example: acksim serve emulator --etcd http://etcd:2379"
    emulator.add_argument("--kubernetes-url", help="the API server as kubeconfigs name it")
    emulator.add_argument("--kubernetes-private-url", help="the same, for containers beside it")
    apiserver = _command(group, "apiserver", "acksim.cli.serve:apiserver", "the Kubernetes API")
    apiserver.epilog = "example: acksim serve apiserver --etcd http://etcd:2379"
    etcd = _command(group, "etcd", "acksim.cli.serve:etcd", "an etcd on a socket, without a port")
    etcd.epilog = "example: acksim serve etcd --data-dir /data"
    _data_dir(etcd)
    for command in (emulator, apiserver):
        _data_dir(command)
        command.add_argument("--etcd", metavar="URL,…", help="(ACKSIM_ETCD)")
        command.add_argument("--auth", choices=("off", "soft", "strict"), help="(ACKSIM_AUTH)")
        command.add_argument("--fd", action="append", default=[], help=argparse.SUPPRESS)
    plugin = _command(group, "kms-plugin", "acksim.cli.serve:kms_plugin", "a Kubernetes KMS plugin")
    plugin.epilog = (
        "example: acksim serve kms-plugin --socket /run/kms.sock --key-id alias/acksim "
        "--endpoint http://127.0.0.1:8700 (credentials from ALIBABA_CLOUD_ACCESS_KEY_ID and "
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET, or ALIBABA_CLOUD_CREDENTIALS_URI)"
    )
    plugin.add_argument("--socket", required=True, help="unix socket to listen on")
    plugin.add_argument("--key-id", required=True, help="key id or alias")
    plugin.add_argument("--endpoint", required=True, help="KMS, such as http://127.0.0.1:8700")
    plugin.add_argument(
        "--status-of-dead-key",
        choices=("error", "unhealthy", "blind"),
        default="error",
        help="what KMS v2's Status says of a key that is not enabled: a gRPC error (default), "
        "which ends writes after three minutes; an unhealthy answer, which does not; or nothing",
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return count


def _up_to_64(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 64")
    return int(text)
