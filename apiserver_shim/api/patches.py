"""The kinds of patch, by media type."""

from typing import Any

import orjson

from apiserver_shim.api import negotiation, status
from apiserver_shim.api.status import StatusError
from apiserver_shim.objects import patch, strategic
from apiserver_shim.objects.decoding import Change, FieldValidation, patching
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.strategy import Strategy

_JSON_PATCH, _MERGE_PATCH, _STRATEGIC_PATCH, APPLY_PATCH = negotiation.PATCH_TYPES


def patch_type(content_type: str) -> str:
    """Return the media type of a patch; raises StatusError 415."""
    media_type = negotiation.media_type_of(content_type)
    if media_type not in negotiation.PATCH_TYPES:
        raise StatusError(status.unsupported_media_type(negotiation.PATCH_TYPES))
    return media_type


def patch_change(
    strategy: Strategy, body: bytes, media_type: str, validation: FieldValidation
) -> Change:
    """Return the change that the patch in ``body`` makes; raises BadRequestError."""
    parsed = _parsed(body)
    validation.duplicates = negotiation.duplicate_fields(body, parsed)
    if media_type == _JSON_PATCH:
        return patching(strategy, lambda old: patch.apply_json_patch(old, parsed), "", validation)
    if not isinstance(parsed, dict):
        raise BadRequestError("invalid JSON patch")
    shown = "" if strategy.kind == "Secret" else body.decode(errors="replace")
    if media_type == _MERGE_PATCH:
        return patching(strategy, lambda old: _object(patch.merge(old, parsed)), shown, validation)
    lists = strategy.merge_lists
    return patching(strategy, lambda old: strategic.apply(old, parsed, lists), shown, validation)


def _parsed(body: bytes) -> Any:
    try:
        return negotiation.parse_json(body)
    except orjson.JSONDecodeError as error:
        detail = negotiation.go_text(body, error)
        raise BadRequestError(f"error decoding patch: {detail}") from None


def _object(value: Any) -> dict[str, Any]:
    merged: dict[str, Any] = value
    return merged
