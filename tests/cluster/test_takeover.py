"""The CNI that helm planted before Flux becomes Flux's: the real helm-controller takes the release over."""

from __future__ import annotations

from typing import Any

import pytest

from blackstart.config import load
from blackstart.gates import Outcome, Ready, Snapshot, Waiting, condition
from blackstart.progress import Progress
from blackstart.seed import CNI, Seed, seed
from blackstart.steps import execute
from blackstart.steps.apply import ApplyCluster, ApplyFlux, ApplyKey
from blackstart.steps.layers import WaitLayers
from blackstart.steps.prepare import FindKey, PinCommit, Publish, Synthesize
from blackstart.steps.releases import revisions
from blackstart.steps.run import Run
from blackstart.steps.seed import plant
from blackstart.tools.kubernetes import Cluster
from blackstart.waiting import Wait, Watched, wait_for
from tests.desk import Desk

pytestmark = pytest.mark.cluster
LABELS = "app.kubernetes.io/name=cilium"


def test_flux_takes_the_seed_over_without_touching_a_pod(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKSTART_GIT_PORT", str(desk.port))
    monkeypatch.chdir(desk.root)
    run = Run(desk.ws, load(desk.root, "local"), Progress(), desk.ws.runs / "test")
    execute([FindKey(), PinCommit(), Synthesize(), Publish(), ApplyCluster()], run)
    assert run.exported is not None
    wanted = seed(run.exported.wiring, run.exported.folder)
    assert wanted is not None
    cluster = run.cluster()
    assert plant(run, cluster, wanted) == "cilium seeded"
    assert plant(run, cluster, wanted) == "cilium is seeded"
    before = seen(cluster, wanted)
    assert before["revisions"] == ["1"]
    assert before["pods"]

    execute([ApplyKey(), ApplyFlux(), WaitLayers()], run)
    after = seen(cluster, wanted)
    assert after["revisions"] == ["1", "2"]
    assert (after["set"], after["pods"]) == (before["set"], before["pods"])
    assert plant(run, cluster, wanted) == "cilium is Flux's"
    owners = {one["metadata"]["labels"]["name"] for one in cluster.list_all("Secret", labels="owner=helm")}
    assert [name for name in owners if "cilium" in name] == ["cilium"]
    for asked in ("once", "and once more"):
        reconciled(cluster, wanted, asked)
    assert seen(cluster, wanted) == after


def reconciled(cluster: Cluster, wanted: Seed, asked: str) -> None:
    """helm-controller has looked at the release again, and come to an end with it."""
    change = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": asked}}}
    cluster.patch("HelmRelease", CNI, wanted.namespace, change)

    def gate(snapshot: Snapshot) -> Outcome:
        release = snapshot[("HelmRelease", wanted.namespace, CNI)]
        handled = release.get("status", {}).get("lastHandledReconcileAt") == asked
        return Ready() if handled and condition(release, "Ready").get("status") == "True" else Waiting("reconciles")

    wait_for(cluster, Wait("takeover", (Watched("HelmRelease", wanted.namespace),), 120), gate)


def seen(cluster: Cluster, wanted: Seed) -> dict[str, Any]:
    """What must stay as it is: the DaemonSet with its generation, its pods."""
    agent = cluster.get("DaemonSet", "cilium", wanted.namespace)
    assert agent is not None
    pods = cluster.list_all("Pod", wanted.namespace, labels=LABELS)
    known = revisions(cluster, wanted.release, wanted.namespace)
    return {
        "revisions": [one["metadata"]["labels"]["version"] for one in known],
        "set": (agent["metadata"]["uid"], agent["metadata"]["generation"]),
        "pods": {pod["metadata"]["uid"] for pod in pods},
    }
