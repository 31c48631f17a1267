"""The other end of the socket: a Kubernetes KMS plugin that calls Alibaba Cloud KMS."""

from alibaba_edge.client.credentials import Credentials
from alibaba_kms_plugin.server import KmsPlugin, KmsPluginSettings

__all__ = ["Credentials", "KmsPlugin", "KmsPluginSettings"]
