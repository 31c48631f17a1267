"""Which row of which product a claim asks for, and the parameters it gives.

An RPC product's row is named by version and action, an ROA one's by version, method and path (CS
2015-12-15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import orjson

from alibaba_edge.errors import ParametersUnreadableError
from alibaba_edge.gateway.claim import Claim
from alibaba_edge.gateway.product import Operation, Product, Style

_RPC_METHODS = frozenset({"GET", "POST"})
_ROA_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
_ROOT = frozenset({"/", ""})
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

    def find(self, claim: Claim) -> Address:
        version, action = claim.version, claim.action
        if claim.path in _ROOT:
            known = self._by_action.get((version, action))
            if known is not None:
                return known
        product = self._products.get(version)
        if product is not None and product.style == "ROA":
            return self._by_route(claim, product)
        return Address(version, action, product)

    def _by_route(self, claim: Claim, product: Product) -> Address:
        given = claim.path.split("/")
        place = (product.version, claim.method, len(given))
        for segments, address in self._by_path.get(place, ()):
            named = _named(segments, given)
            if named is not None:
                return replace(address, path=named)
        return Address(product.version, claim.action or f"{claim.method} {claim.path}", product)


def methods_of(product: Product | None) -> frozenset[str]:
    return _ROA_METHODS if product is not None and product.style == "ROA" else _RPC_METHODS


def roa_parameters(claim: Claim, address: Address) -> dict[str, Any]:
    """Query, body, path, the later winning. Raises ParametersUnreadableError."""
    parameters: dict[str, Any] = dict(claim.query)
    if claim.body:
        if b"\\u0000" in claim.body:  # no name has it, and PostgreSQL has no text with it
            raise ParametersUnreadableError
        try:
            body = orjson.loads(claim.body)
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
