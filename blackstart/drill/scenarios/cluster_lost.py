"""The cluster is gone; Git, the key and the states are left."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Delete it beside blackstart's back."""
    bed.embedded("delete")
    return Damage()


SCENARIO = Scenario("cluster-lost", fault, marker="gone")
