"""Flux's namespace is being deleted and something in it has a finalizer that nobody serves."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.gates import Outcome, Ready, Snapshot, Waiting
from blackstart.tools.kubernetes import Cluster
from blackstart.waiting import Wait, Watched, wait_for

SCRATCH = "drill-scratch"
FINALIZER = "drill.blackstart.test/held"


def fault(bed: Bed, seed: int) -> Damage:
    """Hold the namespace with a ConfigMap, then delete it."""
    api = bed.api()
    _wait_for_the_namespace_controller(api)
    meta = {"name": "held", "namespace": "flux-system", "finalizers": [FINALIZER]}
    api.create("ConfigMap", {"metadata": meta})
    api.delete("Namespace", "flux-system")
    return Damage()


def _wait_for_the_namespace_controller(api: Cluster) -> None:
    """Just started, it takes an API whose discovery is not whole yet for an empty one: let it end another first."""
    api.create("Namespace", {"metadata": {"name": SCRATCH}})
    api.delete("Namespace", SCRATCH)

    def gone(snapshot: Snapshot) -> Outcome:
        return Waiting("still there") if ("Namespace", "", SCRATCH) in snapshot else Ready()

    wait_for(api, Wait(SCRATCH, (Watched("Namespace"),), 120), gone)


SCENARIO = Scenario("namespace-terminating", fault, exit_code=6, says=FINALIZER)
