"""CS 2015-12-15, the API of the managed control plane, as one table of operations."""

from acksim.ack.cs import clusters, permissions, records, unbuilt
from acksim.ack.cs.service import ContainerService
from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.product import Product

OPERATIONS = (*clusters.ROWS, *permissions.ROWS, *records.ROWS, *unbuilt.ROWS)

_STATUSES = {
    "ErrorClusterExists": 409,
    "ErrorClusterNotFound": 404,
    "ErrorClusterUnreachable": 503,
    "ErrorTaskNotFound": 404,
    "ForbiddenGrantPermissions": 403,
    "ForbiddenUpdateKMSState": 403,
    "InternalError": 500,
    "ORDER.OPEND": 500,
    "StatusForbidden": 403,
}


def cs_product(service: ContainerService) -> Product:
    return Product(
        "CS",
        "2015-12-15",
        OPERATIONS,
        service,
        statuses=_STATUSES,
        wording={
            "InternalFailure": ("InternalError", "Internal error, please try again later."),
            "NoPermission": _forbidden,
        },
        style="ROA",
    )


def _forbidden(error: ApiError) -> ApiError:
    """As ACK words a refusal by RAM: its own code, and which kind of policies said no."""
    detail = error.detail or {}
    of_session = detail.get("AuthPrincipalType") == "AssumedRoleUser"
    policies = "STSToken policy" if of_session else "RAM policy"
    message = f"{policies} Forbidden for action {detail.get('AuthAction', '')}"
    return ApiError("StatusForbidden", message, detail=error.detail)
