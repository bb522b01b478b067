"""Flux's namespace is being deleted and something in it has a finalizer that nobody serves."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario

FINALIZER = "drill.blackstart.test/held"


def fault(bed: Bed, seed: int) -> Damage:
    """Hold the namespace with a ConfigMap, then delete it."""
    api = bed.api()
    meta = {"name": "held", "namespace": "flux-system", "finalizers": [FINALIZER]}
    api.create("ConfigMap", {"metadata": meta})
    api.delete("Namespace", "flux-system")
    return Damage()


SCENARIO = Scenario("namespace-terminating", fault, exit_code=6, says=FINALIZER)
