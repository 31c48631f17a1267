"""From a command's options to the settings and the world they mean."""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

from acksim import settings
from acksim.clients.world import World, WorldError
from acksim.data_dir.layout import Layout
from acksim.settings import Elsewhere, WorldSettings


def world_settings(arguments: argparse.Namespace) -> WorldSettings:
    """The environment's world with this command's flags on top."""
    chosen = settings.from_environment()
    if getattr(arguments, "data_dir", None):
        chosen = replace(chosen, data_dir=Path(arguments.data_dir))
    if getattr(arguments, "seed", None):
        chosen = replace(chosen, seed=Path(arguments.seed).absolute())
    if getattr(arguments, "etcd", None):
        chosen = replace(chosen, etcd=settings.endpoints(arguments.etcd))
    if getattr(arguments, "auth", None):
        chosen = replace(chosen, auth=settings.auth_mode(arguments.auth))
    if getattr(arguments, "audit", None):
        chosen = replace(chosen, audited=True)
    return chosen


def world_elsewhere(arguments: argparse.Namespace) -> Elsewhere | None:
    """The world that ACKSIM_WORLD names; who names a place means the world there instead."""
    return None if getattr(arguments, "data_dir", None) else settings.world_elsewhere()


def attached(arguments: argparse.Namespace) -> World:
    """The world that ACKSIM_WORLD names, else the one that runs in the data directory.

    Raises WorldError when there is none, SettingsError without the token of one elsewhere.
    """
    chosen = world_settings(arguments)
    elsewhere = world_elsewhere(arguments)
    if elsewhere is None:
        return World.attach(chosen.data_dir)
    return World.connect(elsewhere.url, _folder(chosen, elsewhere.url), token=elsewhere.token)


def _folder(chosen: WorldSettings, url: str) -> Path:
    """Where what a world elsewhere told is kept, such as its authority; private like a world."""
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    folder = Layout.of(chosen.data_dir).elsewhere / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WorldError(f"cannot keep the certificate of {url} in {folder}: {error}") from None
    return folder
