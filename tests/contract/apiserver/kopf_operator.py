"""A small operator: counts the keys of labelled Secrets, and lets go of them when they go."""

from typing import Any

import kopf

LABELS = {"watched": "yes"}


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True
    settings.networking.connect_timeout = 5


@kopf.on.create("", "v1", "secrets", labels=LABELS)
@kopf.on.update("", "v1", "secrets", labels=LABELS, field="data")
def counted(body: kopf.Body, patch: kopf.Patch, **_: Any) -> None:
    patch.metadata.annotations["keys"] = str(len(body.get("data") or {}))
    kopf.info(body, reason="Counted", message="the keys were counted")


@kopf.on.delete("", "v1", "secrets", labels=LABELS)
def released(body: kopf.Body, **_: Any) -> None:
    kopf.info(body, reason="Released", message="nothing is held any more")
