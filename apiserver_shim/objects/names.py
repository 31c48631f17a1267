"""Rules for names, label keys and label values (k8s.io/apimachinery util/validation).

Each rule returns the complaints about a value, none when it is good.
"""

import re

_DNS1123_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS1123_SUBDOMAIN = rf"{_DNS1123_LABEL}(\.{_DNS1123_LABEL})*"
_QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED_NAME})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"


def _told(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


_LABEL_MESSAGE = _told(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _DNS1123_LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_MESSAGE = _told(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character",
    _DNS1123_SUBDOMAIN,
    "example.com",
)
_NAME_MESSAGE = _told(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character",
    _QUALIFIED_NAME,
    "MyName",
    "my.name",
    "123-abc",
)
_QUALIFIED_MESSAGE = (
    f"a qualified name {_NAME_MESSAGE} with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)
_VALUE_MESSAGE = _told(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_MESSAGE = _told(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)

_is_label = re.compile(_DNS1123_LABEL).fullmatch
_is_subdomain = re.compile(_DNS1123_SUBDOMAIN).fullmatch
_is_name_part = re.compile(_QUALIFIED_NAME).fullmatch
_is_label_value = re.compile(_LABEL_VALUE).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch


def _too_many(limit: int) -> str:
    return f"must be no more than {limit} characters"


def path_segment(value: str) -> list[str]:
    """Check a name that need only fit into a path, as those of roles."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in value]


def dns1123_label(value: str) -> list[str]:
    found = [_too_many(63)] if len(value) > 63 else []
    return found if _is_label(value) else [*found, _LABEL_MESSAGE]


def dns1123_subdomain(value: str) -> list[str]:
    found = [_too_many(253)] if len(value) > 253 else []
    return found if _is_subdomain(value) else [*found, _SUBDOMAIN_MESSAGE]


def qualified_name(value: str) -> list[str]:
    """Check ``[prefix/]name``, the form of label keys, annotation keys and finalizers."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [_QUALIFIED_MESSAGE]
    found = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {message}" for message in dns1123_subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append(f"name part {_too_many(63)}")
    if not _is_name_part(name):
        found.append(f"name part {_NAME_MESSAGE}")
    return found


def label_value(value: str) -> list[str]:
    found = [_too_many(63)] if len(value) > 63 else []
    return found if _is_label_value(value) else [*found, _VALUE_MESSAGE]


def config_key(value: str) -> list[str]:
    """Check a key of ``Secret.data`` or ``ConfigMap.data``."""
    found = [_too_many(253)] if len(value) > 253 else []
    if not _is_config_key(value):
        found.append(_CONFIG_KEY_MESSAGE)
    if value == ".":
        found.append("must not be '.'")
    elif value == "..":
        found.append("must not be '..'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found
