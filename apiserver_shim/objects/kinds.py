"""The kinds this server knows, one row each."""

from collections.abc import Mapping

from apiserver_shim.objects.configmaps import ConfigMapStrategy
from apiserver_shim.objects.events import EventStrategy
from apiserver_shim.objects.namespaces import NamespaceStrategy
from apiserver_shim.objects.roles import (
    ClusterRoleBindingStrategy,
    ClusterRoleStrategy,
    RoleBindingStrategy,
    RoleStrategy,
)
from apiserver_shim.objects.secrets import SecretStrategy
from apiserver_shim.objects.serviceaccounts import ServiceAccountStrategy
from apiserver_shim.objects.strategy import Strategy

KINDS: Mapping[str, Strategy] = {
    strategy.resource: strategy
    for strategy in (
        ClusterRoleBindingStrategy(),
        ClusterRoleStrategy(),
        ConfigMapStrategy(),
        EventStrategy(),
        NamespaceStrategy(),
        RoleBindingStrategy(),
        RoleStrategy(),
        SecretStrategy(),
        ServiceAccountStrategy(),
    )
}
