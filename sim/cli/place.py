"""From a command's options to the settings and the world they mean."""

import argparse
from dataclasses import replace
from pathlib import Path

from sim import settings
from sim.settings import WorldSettings
from sim.world import World


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


def attached(arguments: argparse.Namespace) -> World:
    """The world that runs; raises WorldError when there is none."""
    return World.attach(world_settings(arguments).data_dir)
