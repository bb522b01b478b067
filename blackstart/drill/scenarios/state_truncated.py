"""A state was cut off in the middle of a write."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Keep the first half of the flux stack's state."""
    state = bed.ws.state(bed.ws.stack_ids("split")[-1])
    text = state.read_text()
    state.write_text(text[: len(text) // 2])
    return Damage()


SCENARIO = Scenario("state-truncated", fault)
