"""Policy documents: JSON of an exact shape, checked when it is handed in.

From RAM's "Policy structure and syntax". What a document does not say in so many words, it must
not come to mean later: an unknown element or operator is refused, for a Deny that is not
understood would let everything through.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from kms_emulator.conditions import OPERATORS
from sim.account.ram.errors import MalformedPolicyError, TooLongError

Document = Mapping[str, Any]

POLICY_LIMIT = 6144
TRUST_LIMIT = 2048
_ACTION = re.compile(r"\*|[A-Za-z0-9*?_-]+:[A-Za-z0-9*?_/.-]+")
_RESOURCE = re.compile(r"\*|acs:[^:\s]+:[^:\s]*:[^:\s]*:[^\s]+")
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_RAM_PRINCIPAL = re.compile(r"acs:ram::\d{16}:(root|\*|(user|role)/[^\s*?]+)")
_FEDERATED = re.compile(r"acs:ram::\d{16}:(saml|oidc)-provider/[^\s*?]+")
_PRINCIPALS: Final[Mapping[str, re.Pattern[str]]] = {
    "RAM": _RAM_PRINCIPAL,
    "Service": _SERVICE,
    "Federated": _FEDERATED,
}
_TRUST_ACTION = re.compile(r"sts:(AssumeRole|SetSourceIdentity|TagSession|\*)", re.IGNORECASE)


def policy_document(text: str) -> Document:
    """What a permission policy says. Raises MalformedPolicyError or TooLongError."""
    if len(text) > POLICY_LIMIT:
        raise TooLongError("PolicyDocument")
    return _document(text, _check_permission)


def trust_document(text: str) -> Document:
    """Whom a role trusts. Raises MalformedPolicyError or TooLongError."""
    if len(text) > TRUST_LIMIT:
        raise TooLongError("AssumeRolePolicyDocument")
    return _document(text, _check_trust)


def listed(value: Any) -> list[str]:
    """One string and a list with one string mean the same."""
    return [value] if isinstance(value, str) else list(value)


def _document(text: str, check: Callable[[Mapping[str, Any], str], None]) -> Document:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedPolicyError("", f"not JSON ({error})") from None
    _object(document, "", required={"Version", "Statement"}, known={"Version", "Statement"})
    if document["Version"] != "1":
        raise MalformedPolicyError("Version", 'only "1" is known')
    statements = document["Statement"]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyError("Statement", "has to be a list of at least one statement")
    for number, statement in enumerate(statements):
        check(statement, f"Statement[{number}]")
    known: Document = document
    return known


def _check_permission(statement: Any, place: str) -> None:
    known = {"Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    _object(statement, place, required={"Effect"}, known=known)
    _check_effect(statement, place)
    action = _one_of(statement, place, "Action", "NotAction")
    _check_texts(statement[action], f"{place}.{action}", _ACTION, "is no <product>:<operation>")
    resource = _one_of(statement, place, "Resource", "NotResource")
    _check_texts(statement[resource], f"{place}.{resource}", _RESOURCE, "is no * and no ARN")
    _check_condition(statement, place)


def _check_trust(statement: Any, place: str) -> None:
    required = {"Effect", "Action", "Principal"}
    _object(statement, place, required=required, known={*required, "Condition"})
    _check_effect(statement, place)
    _check_texts(statement["Action"], f"{place}.Action", _TRUST_ACTION, "is no action of a trust")
    principal, inside = statement["Principal"], f"{place}.Principal"
    _object(principal, inside, required=set(), known=set(_PRINCIPALS))
    if not principal:
        raise MalformedPolicyError(inside, "names nobody")
    for kind, named in principal.items():
        _check_texts(named, f"{inside}.{kind}", _PRINCIPALS[kind], "is no such principal")
    _check_condition(statement, place)


def _object(value: Any, place: str, *, required: set[str], known: set[str]) -> None:
    if not isinstance(value, dict):
        raise MalformedPolicyError(place, "has to be an object")
    for name in value:
        if name not in known:
            raise MalformedPolicyError(_inside(place, name), "is not known here")
    for name in sorted(required - value.keys()):
        raise MalformedPolicyError(_inside(place, name), "is missing")


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _check_effect(statement: Mapping[str, Any], place: str) -> None:
    effect = statement["Effect"]
    if not isinstance(effect, str) or effect not in {"Allow", "Deny"}:
        raise MalformedPolicyError(f"{place}.Effect", "has to be Allow or Deny")


def _one_of(statement: Mapping[str, Any], place: str, name: str, opposite: str) -> str:
    if (name in statement) == (opposite in statement):
        raise MalformedPolicyError(_inside(place, name), f"needs either this or {opposite}")
    return name if name in statement else opposite


def _check_texts(value: Any, place: str, form: re.Pattern[str], complaint: str) -> None:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise MalformedPolicyError(place, "has to be a string or a list of strings")
    for number, text in enumerate(texts):
        at = place if isinstance(value, str) else f"{place}[{number}]"
        if not isinstance(text, str):
            raise MalformedPolicyError(at, "has to be a string")
        if not form.fullmatch(text):
            raise MalformedPolicyError(at, f"{text[:128]!r} {complaint}")


def _check_condition(statement: Mapping[str, Any], place: str) -> None:
    block, inside = statement.get("Condition", {}), f"{place}.Condition"
    _object(block, inside, required=set(), known=set(OPERATORS))
    for operator, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicyError(f"{inside}.{operator}", "has to name condition keys")
        for key, values in keys.items():
            _check_values(values, f"{inside}.{operator}.{key}")


def _check_values(value: Any, place: str) -> None:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str | bool | int | float) for item in values):
        raise MalformedPolicyError(place, "has to be a string, number or boolean, or a list")
