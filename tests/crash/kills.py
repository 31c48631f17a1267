"""Which process is killed or stopped when: chosen by a seed, spread evenly over all of them."""

import random
import signal
import time
from dataclasses import dataclass
from typing import Literal

from acksim.clients.world import World
from tests.crash.processes import CrashWorld, NotReadyError, wait_until_gone

# Once in each round, the parent among them: so no child falls often enough between two parents
# for its supervisor to give it up.
KILLED = ("etcd", "guard", "emulator", "apiserver", "parent", "plugin")
STOPPED = ("etcd", "emulator", "apiserver", "plugin")
_STOP_EVERY = 5


@dataclass(frozen=True, slots=True)
class Blow:
    """`delay`: seconds of load before it; `seconds`: how long a stopped process stays so."""

    how: Literal["kill", "stop"]
    target: str
    delay: float = 0.5
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.target if self.how == "kill" else f"{self.target} (stopped)"


def plan(kills: int, seed: int) -> list[Blow]:
    """That many kills, and some stops among them; the same for the same seed."""
    chance = random.Random(seed)
    blows: list[Blow] = []
    targets: list[str] = []
    for number in range(1, kills + 1):
        targets = targets or chance.sample(KILLED, len(KILLED))
        blows.append(Blow("kill", targets.pop(), chance.uniform(0.2, 1.5)))
        if number % _STOP_EVERY == 0:
            stopped, delay = chance.choice(STOPPED), chance.uniform(0.2, 1.0)
            blows.append(Blow("stop", stopped, delay, chance.uniform(1.0, 4.0)))
    return blows


def strike(crash: CrashWorld, world: World, blow: Blow) -> World:
    """Returns the world once another process stands in the victim's place, ready or not.

    Raises NotReadyError, too when a child outlives its parent.
    """
    victim = crash.find(blow.target)
    if blow.how == "stop":
        victim.send(signal.SIGSTOP)
        try:
            time.sleep(blow.seconds)
        finally:
            victim.send(signal.SIGCONT)
        return world
    children = crash.children()
    victim.send(signal.SIGKILL)
    if blow.target == "plugin":
        crash.reap("plugin")
        crash.start_plugin(world.facts.endpoint)
    elif blow.target == "parent":
        crash.reap("parent")
        left = wait_until_gone(children)
        if left:
            raise NotReadyError(f"children that outlive their parent: {left}")
        return crash.up()
    else:
        crash.wait_for_another(victim, blow.target)
        below = [child for child in children if child.parent == victim.pid]
        if wait_until_gone(below):
            raise NotReadyError(f"children that outlive the {blow.target}: {below}")
    return world
