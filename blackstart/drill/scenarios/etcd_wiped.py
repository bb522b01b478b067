"""etcd lost its data: the same machine and CA, another cluster in it."""

from __future__ import annotations

import shutil

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """Remove etcd's data while the cluster is stopped, then start it."""
    bed.embedded("stop")
    data = Place(bed.ws).cluster / "etcd"
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    bed.embedded("start")
    return Damage()


SCENARIO = Scenario("etcd-wiped", fault, marker="gone")
