"""The Terraform states are gone, the cluster is alive."""

from __future__ import annotations

import shutil

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Remove the states and what terraform keeps beside them."""
    shutil.rmtree(bed.ws.states)
    shutil.rmtree(bed.ws.out)
    return Damage()


SCENARIO = Scenario("state-lost", fault)
