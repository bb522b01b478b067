"""Nothing local is left and no cluster: only Git and the key."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """The bed is empty already."""
    return Damage()


SCENARIO = Scenario("laptop-lost", fault, marker="gone", from_nothing=True)
