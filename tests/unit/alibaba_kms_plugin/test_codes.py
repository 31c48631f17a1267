"""Alibaba's errors reach the API server as the gRPC codes that mean the same."""

import grpc
import pytest

from alibaba_edge.client.errors import KmsError, KmsUnreachableError
from alibaba_kms_plugin.services import grpc_code


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Rejected.Disabled", 409, grpc.StatusCode.FAILED_PRECONDITION),
        ("Rejected.PendingDeletion", 409, grpc.StatusCode.FAILED_PRECONDITION),
        ("Rejected.PendingImport", 409, grpc.StatusCode.FAILED_PRECONDITION),
        ("Forbidden.NoPermission", 403, grpc.StatusCode.PERMISSION_DENIED),
        ("Forbidden.InDebt", 403, grpc.StatusCode.PERMISSION_DENIED),
        ("Forbidden.KeyNotFound", 404, grpc.StatusCode.NOT_FOUND),
        ("Rejected.Throttling", 429, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("Throttling.User", 400, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("InvalidParameter", 400, grpc.StatusCode.INVALID_ARGUMENT),
        ("InvalidAccessKeyId.NotFound", 404, grpc.StatusCode.UNAUTHENTICATED),
        ("SignatureDoesNotMatch", 400, grpc.StatusCode.UNAUTHENTICATED),
        ("ServiceUnavailableTemporary", 503, grpc.StatusCode.UNAVAILABLE),
        ("InternalFailure", 500, grpc.StatusCode.INTERNAL),
        ("", 0, grpc.StatusCode.INTERNAL),
    ],
)
def test_refusals(code: str, status: int, expected: grpc.StatusCode) -> None:
    assert grpc_code(KmsError(code, "message", status=status)) is expected


def test_an_unreachable_kms() -> None:
    assert grpc_code(KmsUnreachableError("", "refused")) is grpc.StatusCode.UNAVAILABLE
