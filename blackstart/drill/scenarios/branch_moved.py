"""The branch moved on while the cluster was looked after by nobody."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Commit something that a layer applies."""
    path = "gitops/flux/apps/monitoring/namespace.yaml"
    text = (bed.repository / path).read_text()
    bed.commit_file(path, text.replace("metadata:", "metadata:\n  annotations: {drill: moved}"))
    return Damage()


SCENARIO = Scenario("branch-moved", fault)
