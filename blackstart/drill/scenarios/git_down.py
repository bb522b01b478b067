"""Nothing serves the repository any more."""

from __future__ import annotations

import shutil

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded import processes
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """End the supervisor with the Git server, and remove what it serves."""
    chief = processes.supervisor(Place(bed.ws))
    for process in [*(chief.children(recursive=True) if chief else []), *([chief] if chief else [])]:
        process.kill()
        process.wait(10)
    shutil.rmtree(bed.ws.git)
    return Damage()


SCENARIO = Scenario("git-down", fault)
