"""Bodies into objects: type and version, unknown fields, conversion."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apiserver_shim.objects import fieldset
from apiserver_shim.objects.apply import Apply
from apiserver_shim.objects.errors import (
    ApplyError,
    BadRequestError,
    ConflictError,
    InvalidError,
    invalid,
)
from apiserver_shim.objects.schema import read_object
from apiserver_shim.objects.strategy import Strategy

Object = dict[str, Any]
Change = Callable[[Object], Object]

_MOST_COMPLAINTS = 100  # each once (sigs.k8s.io/json saveStrictError)


@dataclass(slots=True)
class FieldValidation:
    """What to do about unknown and duplicate fields: Strict, Warn or Ignore them.

    ``repeated`` is the complaint about keys that YAML has twice: its lines fit in no header.
    """

    directive: str = "Warn"
    duplicates: list[str] = field(default_factory=list)
    repeated: str = ""
    warnings: list[str] = field(default_factory=list)

    def judge(self, unknown: list[str]) -> str | None:
        """Return the complaint if the request must fail for it."""
        if self.directive == "Ignore" or not (unknown or self.duplicates or self.repeated):
            return None
        found = [f'unknown field "{path}"' for path in unknown]
        found += [f'duplicate field "{path}"' for path in self.duplicates]
        found = list(dict.fromkeys(found))[:_MOST_COMPLAINTS]
        if self.directive == "Strict":
            if self.repeated:
                found.insert(0, self.repeated)
            return f"strict decoding error: {', '.join(found)}"
        self.warnings[:] = found
        return None


def decode_object(strategy: Strategy, body: Any, validation: FieldValidation) -> Object:
    """Return the object in ``body``, typed, converted, without unknown fields."""
    if not isinstance(body, dict):
        raise BadRequestError(
            f"the object provided is unrecognized (must be of type {strategy.kind}): "
            "couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of "
            "type struct { APIVersion string; Kind string }"
        )
    kind, version = (
        body.get("kind") or strategy.kind,
        body.get("apiVersion") or strategy.api_version,
    )
    _check_type(strategy, kind, version)
    try:
        obj, unknown = read_object(body, strategy.shape)
    except BadRequestError as error:
        raise _unhandled(strategy, error.message) from None
    if complaint := validation.judge(unknown):
        raise _unhandled(strategy, complaint)
    typed = {"kind": strategy.kind, "apiVersion": strategy.api_version, "metadata": {}}
    typed.update((key, value) for key, value in obj.items() if key not in {"kind", "apiVersion"})
    strategy.convert(typed)
    return typed


def _check_type(strategy: Strategy, kind: Any, version: Any) -> None:
    if version != strategy.api_version:
        raise BadRequestError(
            f"the API version in the data ({version}) does not match "
            f"the expected API version ({strategy.api_version})"
        )
    if kind != strategy.kind:
        raise BadRequestError(
            f'{kind} in version "v1" cannot be handled as a {strategy.kind}: converting '
            f"(v1.{kind}) to (core.{strategy.kind}): unknown conversion"
        )


def _unhandled(strategy: Strategy, detail: str) -> BadRequestError:
    return BadRequestError(
        f'{strategy.kind} in version "v1" cannot be handled as a {strategy.kind}: {detail}'
    )


def replacing(body: Object) -> Change:
    """Return the change that a PUT of ``body`` makes; its uid, if any, must be the stored one."""
    wanted = body["metadata"].get("uid")

    def change(old: Object) -> Object:
        found = old["metadata"].get("uid", "")
        if wanted and wanted != found:
            raise uid_conflict(body, wanted, found)
        return body

    return change


def uid_conflict(body: Object, wanted: str, found: str) -> ConflictError:
    """Return upstream's complaint about a PUT meant for another object of the same name."""
    meta, resource = body["metadata"], f"{body['kind'].lower()}s"
    path = "/".join(part for part in (resource, meta.get("namespace"), meta["name"]) if part)
    return ConflictError(
        resource,
        meta["name"],
        f"StorageError: invalid object, Code: 4, Key: /registry/{path}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, "
        f"UID in object meta: {found}",
    )


def patching(strategy: Strategy, apply: Change, shown: str, validation: FieldValidation) -> Change:
    """Return the change that a patch makes; ``shown`` stands for it in complaints."""

    def change(old: Object) -> Object:
        patched = apply(old)
        _check_type(strategy, patched.get("kind"), patched.get("apiVersion"))
        try:
            new, unknown = read_object(patched, strategy.shape)
        except BadRequestError as error:
            raise InvalidError("", "", [invalid("patch", shown, error.message)]) from None
        if complaint := validation.judge(unknown):
            raise InvalidError("", "", [invalid("patch", shown, complaint)])
        strategy.convert(new)
        new.setdefault("metadata", {})
        return new

    return change


def decode_applied(
    strategy: Strategy, body: Any, *, namespace: str | None, name: str, validation: FieldValidation
) -> Object:
    """Return the configuration of a server-side apply, which is a part of an object."""
    if not isinstance(body, dict):
        raise BadRequestError("error decoding YAML: the configuration is not an object")
    for field_name, shown in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not body.get(field_name):
            raise BadRequestError(f"Object '{shown}' is missing in the applied configuration")
    _check_type(strategy, body["kind"], body["apiVersion"])
    _check_applied_meta(body.get("metadata"), namespace, name)
    if complaint := validation.judge([]):
        raise _unhandled(strategy, complaint)
    try:
        config, unknown = read_object(body, strategy.shape)
    except BadRequestError as error:
        raise _untyped(strategy, namespace, name, error.message) from None
    if unknown:
        detail = f".{unknown[0]}: field not declared in schema"
        raise _untyped(strategy, namespace, name, detail)
    if faults := list(fieldset.list_faults(config, strategy.topology)):
        detail = faults[0] if len(faults) == 1 else "\n  ".join(("errors:", *faults))
        raise _untyped(strategy, namespace, name, detail)
    config["metadata"] = {**config.get("metadata", {}), "name": name}
    if namespace is not None:
        config["metadata"]["namespace"] = namespace
    return config


def _check_applied_meta(meta: Any, namespace: str | None, name: str) -> None:
    if not isinstance(meta, dict):
        return
    if meta.get("managedFields") is not None:
        raise BadRequestError("metadata.managedFields must be nil")
    for what, wanted, where in (("name", name, "URL"), ("namespace", namespace, "request")):
        found = meta.get(what) or wanted
        if found != wanted:
            raise BadRequestError(
                f"the {what} of the object ({found}) does not match "
                f"the {what} on the {where} ({wanted or ''})"
            )


def _untyped(strategy: Strategy, namespace: str | None, name: str, detail: str) -> ApplyError:
    where = f"{namespace}/{name}" if namespace else f"/{name}"
    typed = f"{strategy.group}/v1, Kind={strategy.kind}"
    return ApplyError(f"failed to create typed patch object ({where}; {typed}): {detail}")


def applying(strategy: Strategy, apply: Apply, time: str) -> Change:
    """Return the change that an apply makes; an object without a uid is one not there yet."""

    def change(live: Object) -> Object:
        applied = apply.to(live, strategy.topology, time)
        # read again: what is converted must not be shared with the object as read
        new, _ = read_object(applied, strategy.shape)
        strategy.convert(new)
        return new

    return change
