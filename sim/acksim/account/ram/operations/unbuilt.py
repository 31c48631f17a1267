"""What is not built: the console's logins, MFA, service-linked roles, tags on their own."""

from acksim.account.ram.operations.rows import Row
from alibaba_edge.gateway.product import not_built

_READS = (
    "GetAccessKeyLastUsed",
    "GetAccountAlias",
    "GetPasswordPolicy",
    "GetSecurityPreference",
    "GetServiceLinkedRoleTemplate",
    "GetUserMFAInfo",
    "ListTagResources",
    "ListVirtualMFADevices",
)
_WRITES = (
    "BindMFADevice",
    "ChangePassword",
    "ClearAccountAlias",
    "CreateLoginProfile",
    "CreateServiceLinkedRole",
    "CreateVirtualMFADevice",
    "DeleteServiceLinkedRole",
    "DeleteVirtualMFADevice",
    "SetAccountAlias",
    "SetPasswordPolicy",
    "SetSecurityPreference",
    "TagResources",
    "UnbindMFADevice",
    "UntagResources",
    "UpdateLoginProfile",
)

ROWS: tuple[Row, ...] = (
    *(not_built(name, "Read") for name in _READS),
    *(not_built(name, "Write") for name in _WRITES),
)
