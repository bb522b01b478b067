"""Somebody deleted the key's Secret."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Delete it."""
    bed.api().delete("Secret", "sops-age", "flux-system")
    return Damage()


SCENARIO = Scenario("key-deleted", fault)
