"""The key's Secret holds another key; no plan shows it."""

from __future__ import annotations

import base64

from pyrage import x25519

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Put a fresh key in the place of the right one."""
    other = base64.b64encode(str(x25519.Identity.generate()).encode()).decode()
    bed.api().patch("Secret", "sops-age", "flux-system", {"data": {"age.agekey": other}})
    return Damage()


SCENARIO = Scenario("key-tampered", fault)
