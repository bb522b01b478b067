"""The operator has another key than the one that opens this repository."""

from __future__ import annotations

from pyrage import x25519

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Recover with a fresh key in the environment."""
    return Damage(env={"SOPS_AGE_KEY": str(x25519.Identity.generate())})


SCENARIO = Scenario("wrong-key", fault, exit_code=7)
