"""Actions of KMS 2016-01-20 that this emulator knows by name and does not have."""

from __future__ import annotations

from kms_emulator.gateway.product import not_built
from kms_emulator.operations.kms import Row

_READS = """
    AsymmetricDecrypt AsymmetricEncrypt AsymmetricSign AsymmetricVerify BatchGetSecretValue
    DescribeAccountKmsStatus DescribeApplicationAccessPoint DescribeNetworkRule DescribePolicy
    DescribeSecret ExportDataKey GenerateAndExportDataKey GenerateMac GetChallenge GetClientKey
    GetDefaultKmsInstance GetKeyPolicy GetKmsInstance GetKmsInstanceQuotaInfos GetManagedDataKey
    GetParametersForImport GetPublicKey GetRandomPassword GetSecretPolicy GetSecretValue
    ListApplicationAccessPoints ListClientKeys ListKmsInstances ListManagedDataKeyVersions
    ListNetworkRules ListPolicies ListResourceTags ListSecretVersionIds ListSecrets
    ListTagResources ReEncrypt VerifyMac
"""
_WRITES = """
    ConnectKmsInstance CreateApplicationAccessPoint CreateClientKey CreateKeyVersion
    CreateNetworkRule CreatePolicy CreateSecret DeleteApplicationAccessPoint DeleteClientKey
    DeleteKeyMaterial DeleteNetworkRule DeletePolicy DeleteSecret ImportKeyMaterial OpenKmsService
    PutSecretValue ReleaseKmsInstance RestoreSecret RotateSecret SetDeletionProtection SetKeyPolicy
    SetSecretPolicy TagResource TagResources UntagResource UntagResources
    UpdateApplicationAccessPoint UpdateKmsInstanceBindVpc UpdateNetworkRule UpdatePolicy
    UpdateRotationPolicy UpdateSecret UpdateSecretRotationPolicy UpdateSecretVersionStage
"""

ROWS: tuple[Row, ...] = (
    *(not_built(name, "Read") for name in _READS.split()),
    *(not_built(name, "Write") for name in _WRITES.split()),
)
