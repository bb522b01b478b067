"""Another run works on the same cluster."""

from __future__ import annotations

from filelock import FileLock

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Hold its lock; let it go when recovery has refused."""
    lock = FileLock(bed.ws.lock)
    lock.acquire(timeout=0)
    return Damage(mend=lock.release)


SCENARIO = Scenario("concurrent", fault, exit_code=9)
