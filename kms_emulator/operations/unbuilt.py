"""Actions of KMS 2016-01-20 that this emulator knows by name and does not have."""

from __future__ import annotations

from alibaba_edge.gateway.product import not_built
from kms_emulator.operations.kms import Row

_READS = """
    BatchGetSecretValue DescribeApplicationAccessPoint DescribeNetworkRule DescribePolicy
    DescribeSecret GetChallenge GetClientKey GetDefaultKmsInstance GetKmsInstance
    GetKmsInstanceQuotaInfos GetManagedDataKey GetRandomPassword GetSecretPolicy GetSecretValue
    ListApplicationAccessPoints ListClientKeys ListKmsInstances ListManagedDataKeyVersions
    ListNetworkRules ListSecretVersionIds ListSecrets
"""
_WRITES = """
    ConnectKmsInstance CreateApplicationAccessPoint CreateClientKey CreateNetworkRule
    CreatePolicy CreateSecret DeleteApplicationAccessPoint DeleteClientKey DeleteNetworkRule
    DeletePolicy DeleteSecret PutSecretValue ReleaseKmsInstance RestoreSecret RotateSecret
    SetSecretPolicy UpdateApplicationAccessPoint UpdateKmsInstanceBindVpc UpdateNetworkRule
    UpdatePolicy UpdateSecret UpdateSecretRotationPolicy UpdateSecretVersionStage
"""

ROWS: tuple[Row, ...] = (
    *(not_built(name, "Read") for name in _READS.split()),
    *(not_built(name, "Write") for name in _WRITES.split()),
)
