"""The cluster is lost, and at first no file can grow any more."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Recover while files end at 4 KiB (writing fails as on a full disk), then with room again."""
    bed.embedded("delete")

    def mend() -> None:
        bed.good("recover", "--yes")

    return Damage(largest_file=4096, mend=mend)


SCENARIO = Scenario("disk-full", fault, exit_code=4, marker="gone")
