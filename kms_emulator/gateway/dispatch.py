"""Which row of which product a request asks for, and the parameters it gives.

An RPC request names version and action; an ROA one its version in a header, its operation by
method and path (CS 2015-12-15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import orjson

from kms_emulator.errors import ParametersUnreadableError
from kms_emulator.gateway.product import Operation, Product, Style
from kms_emulator.gateway.request import Request

_RPC_METHODS = frozenset({"GET", "POST"})
_ROA_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
_ROOT = frozenset({"/", ""})
_VERSION = "x-acs-version"
_ACTION = "x-acs-action"
WHOLE_BODY = "body"
"""The name under which an ROA body that is an array is handed on."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a request asks for, resolved as far as it can be. `path`: what its path names."""

    version: str
    action: str
    product: Product | None = None
    operation: Operation[Any, Any, Any] | None = None
    recordable: frozenset[str] = frozenset()
    path: Mapping[str, str] = field(default_factory=dict)

    @property
    def style(self) -> Style:
        return self.product.style if self.product is not None else "RPC"


class OperationTable:
    """Every row of every product."""

    def __init__(self, products: Iterable[Product]) -> None:
        self._products = {product.version: product for product in products}
        self._by_action: dict[tuple[str, str], Address] = {}
        self._by_path: dict[tuple[str, str, int], list[tuple[list[str], Address]]] = {}
        for product in self._products.values():
            for row in product.operations:
                address = Address(product.version, row.name, product, row, row.recordable())
                if row.route is None:
                    self._by_action[product.version, row.name] = address
                else:
                    segments = row.route.path.split("/")
                    place = (product.version, row.route.method, len(segments))
                    self._by_path.setdefault(place, []).append((segments, address))

    def find(self, request: Request, parameters: Mapping[str, str]) -> Address:
        headers = request.headers
        if "authorization" in headers:
            version = headers.get(_VERSION) or parameters.get("Version", "")
            action = headers.get(_ACTION) or parameters.get("Action", "")
        elif "Signature" in parameters:  # of this kind the parameters are signed, the headers not
            version, action = parameters.get("Version", ""), parameters.get("Action", "")
        else:
            version = parameters.get("Version") or headers.get(_VERSION, "")
            action = parameters.get("Action") or headers.get(_ACTION, "")
        if request.path in _ROOT:
            known = self._by_action.get((version, action))
            if known is not None:
                return known
        product = self._products.get(version)
        if product is not None and product.style == "ROA":
            return self._by_route(request, product, action)
        return Address(version, action, product)

    def _by_route(self, request: Request, product: Product, action: str) -> Address:
        given = request.path.split("/")
        place = (product.version, request.method, len(given))
        for segments, address in self._by_path.get(place, ()):
            named = _named(segments, given)
            if named is not None:
                return replace(address, path=named)
        return Address(product.version, action or f"{request.method} {request.path}", product)


def methods_of(product: Product | None) -> frozenset[str]:
    return _ROA_METHODS if product is not None and product.style == "ROA" else _RPC_METHODS


def roa_parameters(request: Request, address: Address) -> dict[str, Any]:
    """Query, body, path, the later winning. Raises ParametersUnreadableError."""
    parameters: dict[str, Any] = dict(request.query[::-1])
    if request.body:
        if b"\\u0000" in request.body:  # no name has it, and PostgreSQL has no text with it
            raise ParametersUnreadableError
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise ParametersUnreadableError from None
        if isinstance(body, dict):
            parameters |= body
        elif isinstance(body, list):
            parameters[WHOLE_BODY] = body
        else:
            raise ParametersUnreadableError
    if any("\0" in value for value in address.path.values()):
        raise ParametersUnreadableError
    return parameters | dict(address.path)


def as_text(value: Any) -> str:
    """A parameter as a record shows it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _named(segments: list[str], given: list[str]) -> dict[str, str] | None:
    """The path's parameters if the path is of this form."""
    named: dict[str, str] = {}
    for expected, actual in zip(segments, given, strict=True):
        if expected.startswith("{"):
            if not actual:
                return None
            named[expected[1:-1]] = unquote(actual)
        elif expected != actual:
            return None
    return named
