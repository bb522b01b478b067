"""`up` and all its children are killed at a random moment."""

from __future__ import annotations

import random
import sys

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.tools.process import Command, run

LONGEST = 25.0
"""Seconds that `up` takes from nothing on two cores."""


def fault(bed: Bed, seed: int) -> Damage:
    """Begin from nothing; after a seeded time SIGKILL to `up`, to what it runs and to the half-made cluster."""
    moment = random.Random(seed).uniform(1.0, LONGEST)
    argv = [sys.executable, "-m", "blackstart", "--cluster", bed.cluster, "up"]
    command = Command(argv, cwd=bed.repository, env=bed.environment(), log=bed.log, timeout=moment)
    run(command, check=False)
    processes.end(Place(bed.ws), keep_data=False)
    return Damage()


SCENARIO = Scenario("run-killed", fault, marker="gone", from_nothing=True, seeds=3)
