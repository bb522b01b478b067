"""The machine was rebooted: everything exists, nothing runs."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """End all its processes."""
    bed.embedded("stop")
    return Damage()


SCENARIO = Scenario("stopped", fault)
