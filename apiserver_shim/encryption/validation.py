"""What upstream refuses in an EncryptionConfiguration (apis/apiserver/validation)."""

import base64
import binascii
import json
from collections.abc import Collection, Iterator, Sequence
from urllib.parse import urlsplit

from apiserver_shim.encryption.aead import KEY_SIZES
from apiserver_shim.encryption.config import (
    EncryptionConfiguration,
    KmsProvider,
    NamedKey,
    Provider,
    ResourceRule,
)
from apiserver_shim.encryption.transformer import joined
from apiserver_shim.errors import EncryptionConfigError

_SECRETBOX_SIZES = (32,)
# Kinds that the API serves without storing them, and so cannot encrypt.
_NOT_STORED = frozenset(
    {
        "bindings",
        "componentstatuses",
        "localsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
        "tokenreviews.authentication.k8s.io",
    }
)


def validate(configuration: EncryptionConfiguration, *, reload: bool) -> None:
    """Raise EncryptionConfigError with every fault, joined as upstream joins them."""
    rules = configuration.resources
    faults = [] if rules else ["resources: Required value: at least one resources is required"]
    names: set[str] = set()
    for index, rule in enumerate(rules):
        path = f"resources[{index}]"
        faults += _resource_faults(rule.resources, f"{path}.resources")
        faults += _provider_faults(rule, f"{path}.providers", names, reload=reload)
    if faults:
        raise EncryptionConfigError(joined(faults))


def _required(path: str, message: str) -> str:
    return f"{path}: Required value: {message}"


def _invalid(path: str, value: object, message: str) -> str:
    return f"{path}: Invalid value: {json.dumps(value, ensure_ascii=False)}: {message}"


def _provider_faults(
    rule: ResourceRule, path: str, names: set[str], *, reload: bool
) -> Iterator[str]:
    if not rule.providers:
        yield _required(path, f"at least one {path} is required")
    for index, provider in enumerate(rule.providers):
        at = f"{path}[{index}]"
        members = provider.named()
        if not members:
            yield _invalid(
                at,
                "",
                "provider does not contain any of the expected providers: "
                "KMS, AESGCM, AESCBC, Secretbox, Identity",
            )
        elif len(members) > 1:
            yield _invalid(
                at,
                ", ".join(members),
                "more than one provider specified in a single element, "
                "should split into different list elements",
            )
        else:
            yield from _member_faults(provider, at, names, reload=reload)


def _member_faults(
    provider: Provider, path: str, names: set[str], *, reload: bool
) -> Iterator[str]:
    if provider.kms is not None:
        yield from _kms_faults(provider.kms, f"{path}.kms", names, reload=reload)
    if provider.aesgcm is not None:
        yield from _key_faults(provider.aesgcm, f"{path}.aesgcm.keys", KEY_SIZES)
    if provider.aescbc is not None:
        yield from _key_faults(provider.aescbc, f"{path}.aescbc.keys", KEY_SIZES)
    if provider.secretbox is not None:
        yield from _key_faults(provider.secretbox, f"{path}.secretbox.keys", _SECRETBOX_SIZES)
        yield f"{path}.secretbox: Forbidden: secretbox is not available in this API server"


def _key_faults(keys: Sequence[NamedKey], path: str, sizes: Collection[int]) -> Iterator[str]:
    if not keys:
        yield _required(path, f"at least one {path} is required")
    for index, key in enumerate(keys):
        at = f"{path}[{index}]"
        if not key.name:
            yield _required(f"{at}.name", "name is a mandatory field for a key")
        if not key.secret:
            yield _required(f"{at}.secret", "secret is a mandatory field for a key")
            continue
        try:
            size = len(base64.b64decode(key.secret, validate=True))
        except binascii.Error:
            yield _invalid(f"{at}.secret", "REDACTED", "secrets must be base64 encoded")
            continue
        if size not in sizes:
            expected = " ".join(str(one) for one in sizes)
            yield _invalid(
                f"{at}.secret",
                "REDACTED",
                f"secret is not of the expected length, got {size}, expected one of [{expected}]",
            )


def _kms_faults(kms: KmsProvider, path: str, names: set[str], *, reload: bool) -> Iterator[str]:
    if kms.api_version not in {"v1", "v2"}:
        yield _invalid(
            f"{path}.apiVersion",
            kms.api_version,
            "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported",
        )
    yield from _kms_name_faults(kms, f"{path}.name", names, reload=reload)
    if kms.timeout <= 0:
        yield _invalid(f"{path}.timeout", f"{kms.timeout:g}s", "timeout should be a positive value")
    yield from _endpoint_faults(kms.endpoint, f"{path}.endpoint")
    if kms.api_version == "v1" and kms.cache_size == 0:
        message = "cachesize should be a positive value, or negative to disable"
        yield _invalid(f"{path}.cachesize", 0, message)
    if kms.api_version == "v2" and kms.cache_size is not None:
        yield _invalid(f"{path}.cachesize", kms.cache_size, "cachesize is not supported in v2")


def _kms_name_faults(
    kms: KmsProvider, path: str, names: set[str], *, reload: bool
) -> Iterator[str]:
    if not kms.name:
        yield _required(path, "name is a mandatory field for a provider")
        return
    is_v2 = kms.api_version == "v2"
    if is_v2 and ":" in kms.name:
        message = f"invalid KMS provider name {kms.name}, must not contain ':'"
        yield _invalid(path, kms.name, message)
    if (is_v2 or reload) and kms.name in names:
        message = f"duplicate KMS provider name {kms.name}, names must be unique"
        yield _invalid(path, kms.name, message)
    names.add(kms.name)


def _endpoint_faults(endpoint: str, path: str) -> Iterator[str]:
    if not endpoint:
        yield _invalid(path, "", "endpoint is a mandatory field for a kms")
        return
    try:
        scheme = urlsplit(endpoint).scheme
    except ValueError as error:
        yield _invalid(path, endpoint, f"invalid endpoint for kms provider, error: {error}")
        return
    if scheme != "unix":
        yield _invalid(
            path,
            endpoint,
            f'unsupported scheme "{scheme}" for KMS provider, only unix is supported',
        )


def _resource_faults(resources: Sequence[str], path: str) -> Iterator[str]:
    if not resources:
        yield _required(path, f"at least one {path} is required")
    seen: set[str] = set()
    for index, resource in enumerate(resources):
        at = f"{path}[{index}]"
        if (message := _resource_fault(resource)) is not None:
            yield _invalid(at, resource, message)
        if resource in seen:
            yield _invalid(at, resource, "the same resource cannot be specified multiple times")
        seen.add(resource)
    for index, resource in enumerate(resources):
        for wild in ("*.*", f"*.{resource.partition('.')[2]}"):
            if wild != resource and wild in seen:
                yield _invalid(
                    f"{path}[{index}]",
                    resource,
                    f"using overlapping resources such as '{resource}' and '{wild}' in the same "
                    "resource list is not allowed as they will be masked",
                )
                break


def _resource_fault(resource: str) -> str | None:
    name, _, group = resource.partition(".")
    if resource != resource.lower():
        return "resource name should not contain capital letters"
    if resource == "*":
        return (
            "use '*.' to encrypt all the resources from core API group or *.* to encrypt "
            "all resources"
        )
    if group == "*" and name != "*":
        return "encrypting the same resource across groups is not supported"
    if group == "extensions":
        return "'extensions' group has been removed and cannot be used for encryption"
    if resource in {"events.events.k8s.io", "*.events.k8s.io"}:
        return (
            f"'{resource}' objects are stored using the 'events' API group in etcd. "
            "Use 'events' instead in the config file"
        )
    if resource in _NOT_STORED:
        return "resources which do not have REST API/s cannot be encrypted"
    return None


def refuse_masked(configuration: EncryptionConfiguration) -> None:
    """Raise EncryptionConfigError for a resource that an earlier rule's wildcard takes."""
    earlier: set[str] = set()
    for rule in configuration.resources:
        for resource in rule.resources:
            for wild in (f"*.{resource.partition('.')[2]}", "*.*"):
                if wild in earlier:
                    raise EncryptionConfigError(
                        f'resource "{resource}" is masked by earlier rule "{wild}"'
                    )
        earlier.update(rule.resources)
