"""The cluster is lost, and at first no file can grow any more."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Recover while files end at 4 KiB (writing fails as on a full disk), then with room again.

    Python itself keeps a compiled module that was cut off, and stumbles over it later: it must not write any.
    """
    bed.embedded("delete")

    def mend() -> None:
        bed.good("recover", "--yes")

    return Damage(env={"PYTHONDONTWRITEBYTECODE": "1"}, largest_file=4096, mend=mend)


SCENARIO = Scenario("disk-full", fault, exit_code=4, marker="gone")
