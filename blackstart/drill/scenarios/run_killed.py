"""`up` and all its children are killed at a random moment."""

from __future__ import annotations

import random
import sys
import threading

import psutil

from blackstart.drill.bed import LIMIT, Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.tools.process import Command, run

LONGEST = 30.0
"""Seconds: `up` takes a little more from nothing on two cores."""


def fault(bed: Bed, seed: int) -> Damage:
    """Begin from nothing; after a seeded time SIGKILL to `up`, to what it runs and to the half-made cluster."""
    moment = random.Random(seed).uniform(1.0, LONGEST)
    argv = [sys.executable, "-m", "blackstart", "--cluster", bed.cluster, "up"]
    command = Command(argv, cwd=bed.repository, env=bed.environment(), log=bed.log, timeout=LIMIT)
    killing: list[threading.Timer] = []

    def kill_later(pid: int) -> None:
        killing.append(threading.Timer(moment, kill_family, (pid,)))
        killing[0].start()

    run(command, check=False, on_start=kill_later)
    killing[0].cancel()
    killing[0].join()
    processes.end(Place(bed.ws), keep_data=False)
    return Damage()


def kill_family(pid: int) -> None:
    """SIGKILL to a process and all below it: terraform has a session of its own, and would live on."""
    try:
        head = psutil.Process(pid)
        head.suspend()  # so that it starts nothing more
        family = [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


SCENARIO = Scenario("run-killed", fault, marker="gone", from_nothing=True, seeds=3)
