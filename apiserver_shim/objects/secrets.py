"""Secrets: types, sizes, stringData, immutability (k8s.io/api core/v1)."""

import base64
from collections.abc import Callable

import orjson

from apiserver_shim.objects import names
from apiserver_shim.objects.errors import FieldError, forbidden, invalid, required, too_long
from apiserver_shim.objects.schema import (
    BOOL,
    STRING,
    STRINGS,
    Bytes,
    Map,
    decode_bytes,
    decoded_size,
    top_level,
)
from apiserver_shim.objects.strategy import Object, Strategy

SIZE_LIMIT = 1024 * 1024
IMMUTABLE = "field is immutable when `immutable` is set"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_REDACTED = "<secret contents redacted>"


class SecretStrategy(Strategy):
    resource = "secrets"
    singular = "secret"
    kind = "Secret"
    shape = top_level(
        "Secret",
        {"data": Map(Bytes()), "stringData": STRINGS, "type": STRING, "immutable": BOOL},
    )

    def convert(self, obj: Object) -> None:
        plain = obj.pop("stringData", None)
        if plain:
            data = obj.setdefault("data", {})
            for key, value in plain.items():
                data[key] = base64.b64encode(value.encode()).decode()
        if not obj.get("data"):
            obj.pop("data", None)

    def prepare_for_create(self, obj: Object) -> None:
        obj["type"] = obj.get("type") or "Opaque"

    def prepare_for_update(self, obj: Object, old: Object, subresource: str) -> None:  # noqa: ARG002
        obj["type"] = obj.get("type") or old.get("type", "Opaque")

    def validate_content(self, obj: Object) -> list[FieldError]:
        data: dict[str, str] = obj.get("data") or {}
        found = [
            invalid(f"data[{key}]", key, message)
            for key in data
            for message in names.config_key(key)
        ]
        if decoded_size(data) > SIZE_LIMIT:
            found.append(too_long("data", SIZE_LIMIT))
        check = _BY_TYPE.get(obj.get("type", ""))
        return found if check is None else [*found, *check(obj, data)]

    def validate_change(self, obj: Object, old: Object) -> list[FieldError]:
        found = []
        if obj.get("type") != old.get("type"):
            found.append(invalid("type", obj.get("type", ""), "field is immutable"))
        if old.get("immutable"):
            if not obj.get("immutable"):
                found.append(forbidden("immutable", IMMUTABLE))
            if (obj.get("data") or {}) != (old.get("data") or {}):
                found.append(forbidden("data", IMMUTABLE))
        return found

    def fields(self, obj: Object) -> dict[str, str]:
        return {**super().fields(obj), "type": obj.get("type", "")}


def _service_account_token(obj: Object, data: dict[str, str]) -> list[FieldError]:  # noqa: ARG001
    if (obj["metadata"].get("annotations") or {}).get(SERVICE_ACCOUNT_NAME):
        return []
    return [required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]")]


def _json_object(key: str) -> Callable[[Object, dict[str, str]], list[FieldError]]:
    def check(obj: Object, data: dict[str, str]) -> list[FieldError]:  # noqa: ARG001
        if key not in data:
            return [required(f"data[{key}]")]
        try:
            parsed = orjson.loads(decode_bytes(data[key]))
        except orjson.JSONDecodeError as error:
            # the parser's own text may quote the contents
            return [invalid(f"data[{key}]", _REDACTED, f"invalid JSON at byte {error.pos}")]
        if not isinstance(parsed, dict):
            detail = "json: cannot unmarshal into Go value of type map[string]interface {}"
            return [invalid(f"data[{key}]", _REDACTED, detail)]
        return []

    return check


def _basic_auth(obj: Object, data: dict[str, str]) -> list[FieldError]:  # noqa: ARG001
    if "username" in data or "password" in data:
        return []
    return [required("data[username]"), required("data[password]")]


def _ssh_auth(obj: Object, data: dict[str, str]) -> list[FieldError]:  # noqa: ARG001
    return [] if data.get("ssh-privatekey") else [required("data[ssh-privatekey]")]


def _tls(obj: Object, data: dict[str, str]) -> list[FieldError]:  # noqa: ARG001
    return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]


_BY_TYPE: dict[str, Callable[[Object, dict[str, str]], list[FieldError]]] = {
    "kubernetes.io/service-account-token": _service_account_token,
    "kubernetes.io/dockercfg": _json_object(".dockercfg"),
    "kubernetes.io/dockerconfigjson": _json_object(".dockerconfigjson"),
    "kubernetes.io/basic-auth": _basic_auth,
    "kubernetes.io/ssh-auth": _ssh_auth,
    "kubernetes.io/tls": _tls,
}
