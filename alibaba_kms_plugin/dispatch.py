"""From a call's bytes to a method and back: the only place that reads what a client sent.

gRPC hands the bytes over as they came. Its own deserializers would answer UNKNOWN to bytes that are
no message and log a traceback for each of them; the words here are those of grpc-go's server
(server.go `processUnaryRPC`, `handleStream`), which every plugin of the field is built on.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[Any, Context], Awaitable[Message]]
RawCall = Callable[[bytes, Context], Awaitable[bytes]]

log = logging.getLogger(__name__)

_MALFORMED = "grpc: error unmarshalling request: "
_BAD_TEXT = "string field contains invalid UTF-8"
# What grpc.aio raises from `abort` when the caller was killed meanwhile; it exports no such name.
_PEER_GONE = "ExecuteBatchError"
_BAD_WIRE = "proto: cannot parse invalid wire-format data"


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the type of its request, and what answers it or aborts the call."""

    request: type[Message]
    call: Call


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service by its full name."""

    name: str
    methods: Mapping[str, Method]


class Dispatch(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in its stubs alone
    """Finds the method of each call; there is an answer to every call, known or not."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = {service.name: service for service in services}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return what answers a call of this path."""
        return grpc.unary_unary_rpc_method_handler(self._find(handler_call_details.method))

    def _find(self, path: str | bytes) -> RawCall:
        text = path if isinstance(path, str) else path.decode("utf-8", errors="replace")
        service_name, slash, name = text.removeprefix("/").rpartition("/")
        if not slash:
            return _unimplemented(f"malformed method name: {_quoted(text)}")
        service = self._services.get(service_name)
        if service is None:
            return _unimplemented(f"unknown service {service_name}")
        method = service.methods.get(name)
        if method is None:
            return _unimplemented(f"unknown method {name} for service {service_name}")
        return _answering(method)


def _answering(method: Method) -> RawCall:
    async def answer(content: bytes, context: Context) -> bytes:
        try:
            request = method.request.FromString(content)
        except DecodeError as error:
            why = _BAD_TEXT if "UTF-8" in str(error) else _BAD_WIRE
            await context.abort(grpc.StatusCode.INTERNAL, _MALFORMED + why)
        try:
            answered = await method.call(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            if type(error).__name__ == _PEER_GONE:  # grpc ends such a call quietly by itself
                raise
            log.exception("a call of the KMS plugin failed")
            await context.abort(grpc.StatusCode.INTERNAL, "the KMS plugin failed; its log says why")
        return answered.SerializeToString()

    return answer


def _unimplemented(words: str) -> RawCall:
    async def refuse(_content: bytes, context: Context) -> NoReturn:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, words)

    return refuse


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
