"""What a call ends in whose caller is gone, or whose method is broken."""

import logging
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc._cython.cygrpc import ExecuteBatchError  # type: ignore[import-not-found]

from alibaba_kms_plugin.dispatch import Dispatch, Method, Service
from kubernetes_kms.v1_pb2 import VersionRequest


class CallDetails(grpc.HandlerCallDetails):
    method = "/s/m"


class Context:
    """Remembers how the call was aborted."""

    def __init__(self) -> None:
        self.aborted: list[grpc.StatusCode] = []

    async def abort(self, code: grpc.StatusCode, _words: str) -> None:
        self.aborted.append(code)
        raise grpc.aio.AbortError


async def answer(error: Exception, context: Context) -> None:
    async def method(_request: Any, _context: Any) -> Any:
        raise error

    dispatch = Dispatch([Service("s", {"m": Method(VersionRequest, method)})])
    handler: Any = dispatch.service(CallDetails())
    await handler.unary_unary(b"", context)


async def test_a_caller_that_is_gone_is_told_nothing_and_leaves_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = Context()
    with pytest.raises(ExecuteBatchError):
        await answer(ExecuteBatchError("the peer is gone"), context)
    assert context.aborted == []
    assert caplog.records == []


async def test_a_broken_method_is_told_as_such_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = Context()
    with pytest.raises(grpc.aio.AbortError):
        await answer(KeyError("x"), context)
    assert context.aborted == [grpc.StatusCode.INTERNAL]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
