"""What a world is made of: the one module that reads the environment.

Every setting is a flag of the command line and a variable of the environment (`ACKSIM_…`);
the flag wins. All others receive plain values.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

AuthMode = Literal["off", "soft", "strict"]
AUTH_MODES: tuple[AuthMode, ...] = ("off", "soft", "strict")

LOOPBACK = "127.0.0.1"
DEFAULT_REGION = "cn-hangzhou"


class SettingsError(Exception):
    """A setting that cannot be used; the text says which and what to write instead."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the environment's name, its default as text, and what it means."""

    name: str
    default: str
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("ACKSIM_DATA_DIR", "~/.acksim", "where a world that stays keeps its state"),
    Setting(
        "ACKSIM_DATABASE",
        "",
        "postgresql:// URL for keys and account, which emulators may share; else SQLite files",
    ),
    Setting("ACKSIM_SEED", "", "YAML file of keys and accounts that a world begins with"),
    Setting("ACKSIM_ETCD", "", "endpoints of a running etcd, comma separated; else one is started"),
    Setting("ACKSIM_AUTH", "strict", "signatures and permissions: off, soft (log only) or strict"),
    Setting("ACKSIM_LIMITS", "off", "the cloud's quotas of keys and calls a second: on or off"),
    Setting(
        "ACKSIM_AUDIT", "off", "logs/audit.log of API servers, in audit.k8s.io/v1 lines: on or off"
    ),
    Setting(
        "ACKSIM_WORLD",
        "",
        "control API of a world elsewhere, such as http://127.0.0.1:8780, for every command",
    ),
    Setting(
        "ACKSIM_TOKEN", "", "what the control API of ACKSIM_WORLD asks for; `acksim env` prints it"
    ),
    Setting("ACKSIM_TOKEN_FILE", "", "a file that holds ACKSIM_TOKEN, such as a mounted secret"),
    Setting("ACKSIM_HOST", LOOPBACK, "the address that every listener binds"),
    Setting("ACKSIM_PORT", "8700", "Alibaba Cloud APIs over HTTP"),
    Setting("ACKSIM_TLS_PORT", "8743", "Alibaba Cloud APIs over HTTPS"),
    Setting("ACKSIM_KUBERNETES_PORT", "6443", "the Kubernetes API over HTTPS"),
    Setting("ACKSIM_CONTROL_PORT", "8780", "the control API under /_sim/"),
    Setting(
        "ACKSIM_HOSTNAMES", "", "further names of this machine, to put into server certificates"
    ),
    Setting(
        "ACKSIM_ALLOWED_HOSTS",
        "",
        "further names that requests may use; *.example.com for all below it. IP addresses, "
        "localhost, *.localhost, *.internal and ACKSIM_HOSTNAMES are allowed anyway",
    ),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The four listeners; 0 means any free port."""

    http: int = 8700
    https: int = 8743
    kubernetes: int = 6443
    control: int = 8780

    @classmethod
    def free(cls) -> "Ports":
        return cls(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One world. `ephemeral` forgets its data directory at the end."""

    data_dir: Path
    database: str = field(default="", repr=False)
    seed: Path | None = None
    etcd: tuple[str, ...] = ()
    auth: AuthMode = "strict"
    limited: bool = False
    audited: bool = False
    host: str = LOOPBACK
    ports: Ports = field(default_factory=Ports)
    hostnames: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The control API of a world that runs in containers or on another machine."""

    url: str
    token: str = field(repr=False)


def auth_mode(text: str) -> AuthMode:
    if text not in AUTH_MODES:
        raise SettingsError(f"auth is {text!r}; write one of {', '.join(AUTH_MODES)}")
    return text


def endpoints(text: str) -> tuple[str, ...]:
    """`http://h:2379,h2:2379` as a tuple of `host:port` with their scheme, if any, kept."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def from_environment(environ: Mapping[str, str] = os.environ) -> WorldSettings:
    """The world that the environment describes; raises SettingsError with the variable's name."""
    values = {row.name: environ.get(row.name) or row.default for row in SETTINGS}
    return WorldSettings(
        data_dir=Path(values["ACKSIM_DATA_DIR"]).expanduser(),
        database=_database(values["ACKSIM_DATABASE"]),
        seed=Path(values["ACKSIM_SEED"]).absolute() if values["ACKSIM_SEED"] else None,
        etcd=endpoints(values["ACKSIM_ETCD"]),
        auth=auth_mode(values["ACKSIM_AUTH"]),
        limited=_switch(values, "ACKSIM_LIMITS"),
        audited=_switch(values, "ACKSIM_AUDIT"),
        host=values["ACKSIM_HOST"],
        ports=Ports(
            http=_port(values, "ACKSIM_PORT"),
            https=_port(values, "ACKSIM_TLS_PORT"),
            kubernetes=_port(values, "ACKSIM_KUBERNETES_PORT"),
            control=_port(values, "ACKSIM_CONTROL_PORT"),
        ),
        hostnames=endpoints(values["ACKSIM_HOSTNAMES"]),
        allowed_hosts=endpoints(values["ACKSIM_ALLOWED_HOSTS"]),
    )


def world_elsewhere(
    url: str | None = None, environ: Mapping[str, str] = os.environ
) -> Elsewhere | None:
    """The world that `url` or ACKSIM_WORLD names, or None; raises SettingsError without a token.

    The token is looked for only here: one of a world that has ended disturbs no later one.
    """
    url = url or environ.get("ACKSIM_WORLD")
    if not url:
        return None
    token, file = environ.get("ACKSIM_TOKEN", ""), environ.get("ACKSIM_TOKEN_FILE")
    if not token and file:
        try:
            token = Path(file).read_text(errors="replace").strip()
        except OSError as error:
            raise SettingsError(f"ACKSIM_TOKEN_FILE cannot be read: {error}") from None
    if not token:
        raise SettingsError(
            f"the world at {url} asks for its token: set ACKSIM_TOKEN, or ACKSIM_TOKEN_FILE to a "
            "file that holds it. It lies in the file `token` of that world's data directory "
            "(docker compose: docker compose exec emulator cat /data/token)"
        )
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError("ACKSIM_TOKEN is no token: it has letters that no token has")
    return Elsewhere(url, token)


def role_environment(
    settings: WorldSettings, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment for the roles of a world: what no argument of theirs says."""
    return {
        **environ,
        "ACKSIM_DATABASE": settings.database,
        "ACKSIM_SEED": str(settings.seed or ""),
        "ACKSIM_LIMITS": "on" if settings.limited else "off",
        "ACKSIM_AUDIT": "on" if settings.audited else "off",
        "ACKSIM_HOSTNAMES": ",".join(settings.hostnames),
        "ACKSIM_ALLOWED_HOSTS": ",".join(settings.allowed_hosts),
    }


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a child `kubectl`: ours, without a KUBECONFIG of the user's own."""
    return {name: value for name, value in environ.items() if name != "KUBECONFIG"}


def _database(text: str) -> str:
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise SettingsError(
            "ACKSIM_DATABASE is no postgresql:// URL; write one, or nothing for SQLite files"
        )
    return text


def _switch(values: Mapping[str, str], name: str) -> bool:
    if values[name] not in {"on", "off"}:
        raise SettingsError(f"{name} is {values[name]!r}; write on or off")
    return values[name] == "on"


def _port(values: Mapping[str, str], name: str) -> int:
    text = values[name]
    if not text.isdecimal() or int(text) > 65535:
        raise SettingsError(f"{name} is {text!r}; write a port from 0 (any free one) to 65535")
    return int(text)


def colour_refused(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user asked for no colour (https://no-color.org)."""
    return bool(environ.get("NO_COLOR"))


@dataclass(frozen=True, slots=True)
class AlibabaCredentials:
    """What the environment says of who calls: a URI to fetch credentials from, or an access key."""

    uri: str = ""
    access_key_id: str = ""
    access_key_secret: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)


def alibaba_credentials(environ: Mapping[str, str] = os.environ) -> AlibabaCredentials:
    """The variables that official clients read; raises SettingsError when none is set."""
    found = AlibabaCredentials(
        uri=environ.get("ALIBABA_CLOUD_CREDENTIALS_URI", ""),
        access_key_id=environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", ""),
        access_key_secret=environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ""),
        security_token=environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", ""),
    )
    if not found.uri and not (found.access_key_id and found.access_key_secret):
        raise SettingsError(
            "no credentials: set ALIBABA_CLOUD_CREDENTIALS_URI, or ALIBABA_CLOUD_ACCESS_KEY_ID "
            "and ALIBABA_CLOUD_ACCESS_KEY_SECRET (`acksim env` prints a world's)"
        )
    return found
