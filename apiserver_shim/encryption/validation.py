"""What upstream refuses in an EncryptionConfiguration (apis/apiserver/validation)."""

from collections.abc import Collection, Iterator, Sequence
from itertools import permutations
from typing import Any

from apiserver_shim import go_syntax
from apiserver_shim.encryption import durations, endpoints
from apiserver_shim.encryption.aead import KEY_SIZES, SECRETBOX_KEY_SIZE
from apiserver_shim.encryption.config import (
    EVERYTHING,
    EncryptionConfiguration,
    GroupResource,
    KmsProvider,
    NamedKey,
    Provider,
    ResourceRule,
)
from apiserver_shim.encryption.transformer import joined
from apiserver_shim.errors import EncryptionConfigError
from apiserver_shim.go_syntax import quoted

# Kept in etcd by the API server itself, without a REST API.
_NOT_SERVED = frozenset({"apiserveripinfo", "serviceipallocations", "servicenodeportallocations"})


def validate(configuration: EncryptionConfiguration, *, reload: bool) -> None:
    """Raise EncryptionConfigError with every fault, joined as upstream joins them."""
    rules = configuration.resources
    if not rules:
        raise EncryptionConfigError(_required("resources", "at least one resources is required"))
    faults: list[str] = []
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
    shown = quoted(value) if isinstance(value, str) else go_syntax.json_text(value)
    return f"{path}: Invalid value: {shown}: {message}"


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
                _shown(provider),
                "provider does not contain any of the expected providers: "
                "KMS, AESGCM, AESCBC, Secretbox, Identity",
            )
        elif len(members) > 1:
            yield _invalid(
                at,
                _shown(provider),
                "more than one provider specified in a single element, "
                "should split into different list elements",
            )
        yield from _member_faults(provider, at, names, reload=reload)


def _shown(provider: Provider) -> dict[str, Any]:
    """Return what upstream prints of a provider, without the keys, which it does print."""

    def keys(named: Sequence[NamedKey] | None) -> Any:
        if named is None:
            return None
        return {"Keys": [{"Name": key.name, "Secret": "REDACTED"} for key in named] or None}

    kms = provider.kms
    return {
        "AESGCM": keys(provider.aesgcm),
        "AESCBC": keys(provider.aescbc),
        "Secretbox": keys(provider.secretbox),
        "Identity": {} if provider.identity else None,
        "KMS": kms
        and {
            "APIVersion": kms.api_version,
            "Name": kms.name,
            "CacheSize": kms.cache_size,
            "Endpoint": kms.endpoint,
            "Timeout": durations.shown(kms.timeout_ns),
        },
    }


def _member_faults(
    provider: Provider, path: str, names: set[str], *, reload: bool
) -> Iterator[str]:
    """Check the first member alone: a second one is a fault already."""
    if provider.kms is not None:
        yield from _kms_faults(provider.kms, f"{path}.kms", names, reload=reload)
    elif provider.aesgcm is not None:
        yield from _key_faults(provider.aesgcm, f"{path}.aesgcm.keys", KEY_SIZES)
    elif provider.aescbc is not None:
        yield from _key_faults(provider.aescbc, f"{path}.aescbc.keys", KEY_SIZES)
    elif provider.secretbox is not None:
        yield from _key_faults(provider.secretbox, f"{path}.secretbox.keys", (SECRETBOX_KEY_SIZE,))


def _key_faults(keys: Sequence[NamedKey], path: str, sizes: Collection[int]) -> Iterator[str]:
    if not keys:
        yield _required(path, "at least one keys is required")
    for index, key in enumerate(keys):
        at = f"{path}[{index}]"
        if not key.name:
            yield _required(f"{at}.name", "name is a mandatory field for a key")
        if not key.secret:
            yield _required(f"{at}.secret", "secret is a mandatory field for a key")
            continue
        try:
            size = len(key.decoded())
        except ValueError:
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
    yield from _kms_name_faults(kms, f"{path}.name", names, reload=reload)
    if kms.timeout_ns <= 0:
        shown = durations.shown(kms.timeout_ns)
        yield _invalid(f"{path}.timeout", shown, "timeout should be a positive value")
    yield from _endpoint_faults(kms.endpoint, f"{path}.endpoint")
    is_v1 = kms.api_version == "v1"
    if not is_v1 and kms.cache_size is not None:
        yield _invalid(f"{path}.cachesize", kms.cache_size, "cachesize is not supported in v2")
    if is_v1 and kms.cache_size == 0:
        message = "cachesize should be a positive value, or negative to disable"
        yield _invalid(f"{path}.cachesize", 0, message)
    if kms.api_version not in {"v1", "v2"}:
        yield _invalid(
            f"{path}.apiVersion",
            kms.api_version,
            "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported",
        )


def _kms_name_faults(
    kms: KmsProvider, path: str, names: set[str], *, reload: bool
) -> Iterator[str]:
    if not kms.name:
        yield _required(path, "name is a mandatory field for a provider")
    is_v2 = kms.api_version != "v1"
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
        scheme = endpoints.parse(endpoint).scheme
    except ValueError as error:
        yield _invalid(path, endpoint, f"invalid endpoint for kms provider, error: {error}")
        return
    if scheme != "unix":
        yield _invalid(
            path,
            endpoint,
            f"unsupported scheme {quoted(scheme)} for KMS provider, only unix is supported",
        )


def _resource_faults(resources: Sequence[str], path: str) -> Iterator[str]:
    if not resources:
        yield _required(path, f"at least one {path} is required")
    yield from _overlap_faults(resources, path)
    for index, resource in enumerate(resources):
        if (message := _resource_fault(resource)) is not None:
            yield _invalid(f"{path}[{index}]", resource, message)


def _overlap_faults(resources: Sequence[str], path: str) -> Iterator[str]:
    repeated = overlap = False
    for one, other in permutations([GroupResource.parse(name) for name in resources], 2):
        if one == other and not repeated:
            repeated = True
            continue
        same_group = one.group == other.group
        overlap |= one == EVERYTHING or (same_group and "*" in {one.resource, other.resource})
    if repeated:
        yield _invalid(path, resources, "the same resource cannot be specified multiple times")
    if overlap:
        yield _invalid(
            path,
            resources,
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is "
            "not allowed as they will be masked",
        )


def _resource_fault(resource: str) -> str | None:
    name, group = GroupResource.parse(resource)
    if resource != resource.lower():
        return "resource name should not contain capital letters"
    if resource == "*":
        return (
            "use '*.' to encrypt all the resources from core API group or *.* to encrypt "
            "all resources"
        )
    if resource in _NOT_SERVED:
        return "resources which do not have REST API/s cannot be encrypted"
    if group == "events.k8s.io":
        return (
            "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. "
            "Use 'events' instead in the config file"
        )
    if group == "extensions":
        return "'extensions' group has been removed and cannot be used for encryption"
    if group == "*" and name != "*":
        return "encrypting the same resource across groups is not supported"
    return None


def refuse_masked(configuration: EncryptionConfiguration) -> None:
    """Raise EncryptionConfigError for a resource that an earlier rule's wildcard takes."""
    earlier: set[GroupResource] = set()
    for rule in configuration.resources:
        resources = [GroupResource.parse(name) for name in rule.resources]
        for resource in resources:
            for wild in (GroupResource("*", resource.group), EVERYTHING):
                if wild in earlier:
                    raise EncryptionConfigError(
                        f"resource {quoted(str(resource))} is masked by earlier rule "
                        f"{quoted(str(wild))}"
                    )
        earlier.update(resources)
