"""Whether an account lets the control plane take on one of its service roles."""

from acksim.account.ram.roles import CONTAINER_SERVICE, Roles


class ServiceRoles:
    """The roles of every account, as cs.aliyuncs.com may assume them."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    async def granted(self, account_id: str, role_name: str) -> bool:
        """Whether the role is there and trusts the service."""
        role = await self._roles.find(account_id, role_name)
        return role is not None and role.trusts_service(CONTAINER_SERVICE)
