"""No file can grow: writing fails in the middle."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Nothing may be written to the folder for backups, then all is well again."""
    return Damage()


SCENARIO = Scenario("disk-full", fault)
