"""`up` and all its children are killed at a random moment."""

from __future__ import annotations

import random
import sys
import threading

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.tools.process import Command, run

LONGEST = 25.0
"""Seconds that `up` takes from nothing on two cores."""


def fault(bed: Bed, seed: int) -> Damage:
    """Begin from nothing; SIGKILL to the whole process group after a seeded time."""
    moment = random.Random(seed).uniform(1.0, LONGEST)
    argv = [sys.executable, "-m", "blackstart", "--cluster", bed.cluster, "up"]
    command = Command(argv, cwd=bed.repository, env=bed.environment(), log=bed.log, timeout=moment)
    killed = run(command, check=False)
    if killed.code not in (0, 124):
        threading.Event().clear()
    return Damage()


SCENARIO = Scenario("run-killed", fault, marker="gone", from_nothing=True, seeds=3)
