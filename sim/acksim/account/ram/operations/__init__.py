"""Every Action of RAM 2015-05-01 as one row, built or not."""

from acksim.account.ram.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    EntityNotExistError,
    RamLimitError,
    RoleNotExistError,
)
from acksim.account.ram.operations import (
    attachments,
    diagnostics,
    groups,
    policies,
    roles,
    unbuilt,
    users,
)
from acksim.account.ram.operations.rows import Row
from acksim.account.ram.ram import Ram
from alibaba_edge.gateway.product import Product

OPERATIONS: tuple[Row, ...] = (
    *users.ROWS,
    *groups.ROWS,
    *roles.ROWS,
    *policies.ROWS,
    *attachments.ROWS,
    *diagnostics.ROWS,
    *unbuilt.ROWS,
)

_STATUSES = {
    **dict.fromkeys((*EntityNotExistError.codes(), RoleNotExistError.code), 404),
    **dict.fromkeys(EntityAlreadyExistsError.codes(), 409),
    **dict.fromkeys(DeleteConflictError.codes(), 409),
    **dict.fromkeys(RamLimitError.codes(), 409),
}

_WORDING = {"NoPermission": ("NoPermission", "You are not authorized to do this action.")}


def ram_product(ram: Ram) -> Product:
    return Product("Ram", "2015-05-01", OPERATIONS, ram, _STATUSES, _WORDING)
