"""The other end of the socket: a Kubernetes KMS plugin that calls Alibaba Cloud KMS."""

from apiserver_shim.kms_plugin.credentials import Credentials
from apiserver_shim.kms_plugin.server import KmsPlugin, KmsPluginSettings

__all__ = ["Credentials", "KmsPlugin", "KmsPluginSettings"]
