"""Disasters on the test bed, undone by the recipe of `recover` as far as the cluster goes (docs/k3s.md)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blackstart import recipes
from blackstart.errors import CommandFailed, KeyProblem, Unsafe
from blackstart.keys import k3s_token
from blackstart.recovery import evidence
from blackstart.recovery.verdict import Row, Verdict, decide
from blackstart.steps import execute
from blackstart.steps.apply import ApplyCluster
from blackstart.steps.k3s_snapshot import require_restorable
from blackstart.steps.prepare import FindKey, PinCommit, Synthesize
from blackstart.tools.kubernetes import Cluster
from tests.k3s.bed import Bed
from tests.k3s.conftest import provider, up

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
Events = Callable[[], list[str]]
EVERYONE = ("s1", "s2", "s3", "a1", "a2")
MARKER = "blackstart-drill-marker"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not a silent API."""
    monkeypatch.setattr(evidence, "API_SECONDS", 20.0)
    monkeypatch.setattr(evidence, "LOOK_SECONDS", 60.0)


def recover(bed: Bed, snapshot: Path | None = None) -> Verdict:
    """Evidence, verdict and the steps that follow from them, to a cluster whose nodes are Ready."""
    run = bed.run(FindKey(), PinCommit(), Synthesize())
    verdict = decide(evidence.collect(run))
    if verdict.refusal:
        raise verdict.refusal
    if snapshot:
        require_restorable(run, snapshot, lost=verdict.lost)
    steps = recipes.recover(run.config, verdict, snapshot=snapshot)[len(recipes.prepare()) :]
    end = next(place for place, step in enumerate(steps) if isinstance(step, ApplyCluster))
    execute(steps[: end + 1], run)
    return verdict


def mark(bed: Bed) -> None:
    api = Cluster(bed.desk.ws.kubeconfig)
    if not marked(bed):
        api.create("ConfigMap", {"metadata": {"name": MARKER, "namespace": "default"}})


def marked(bed: Bed) -> bool:
    return Cluster(bed.desk.ws.kubeconfig).get("ConfigMap", MARKER, "default") is not None


def nodes(bed: Bed) -> set[str]:
    return {node["metadata"]["name"] for node in Cluster(bed.desk.ws.kubeconfig).list_all("Node")}


def joined(bed: Bed, names: tuple[str, ...]) -> set[str]:
    kinds = {name: "server" if name.startswith("s") else "agent" for name in names}
    return {f"install {kinds[name]} {name} {bed.version}" for name in names}


def test_node_lost(bed: Bed, events: Events) -> None:
    """The first server and an agent: they leave the cluster and join it anew, nobody else is touched."""
    mark(bed)
    bed.lose("s1", "a2")
    assert "host s1 has no k3s" in provider(bed).exists().proof
    verdict = recover(bed)
    assert (verdict.row, verdict.rejoin, verdict.forget) == (Row.SAME, ("s1", "a2"), {})
    found = events()
    assert {event for event in found if event.startswith("install")} == joined(bed, ("s1", "a2"))
    assert {event.split()[1] for event in found if not event.startswith("install")} == {"s1", "a2"}
    assert found.index("delete s1") < found.index(f"install server s1 {bed.version}")
    assert marked(bed)
    assert up(bed).applied["bed-cluster"].nothing


def test_all_hosts_lost(bed: Bed, events: Events) -> None:
    """The same addresses, provisioned anew with the token that was kept."""
    mark(bed)
    run = bed.run(FindKey())
    token = k3s_token.read(run.ws, run.key)
    bed.lose(*EVERYONE)
    verdict = recover(bed)
    assert verdict.row is Row.LOST
    assert "bed-cluster" in verdict.forget
    found = events()
    assert [event for event in found if "server" in event] == [
        f"install server {name} {bed.version}" for name in ("s1", "s2", "s3")
    ]
    assert set(found) == joined(bed, EVERYONE)
    assert provider(bed).token() == token
    assert not marked(bed)
    assert nodes(bed) == set(EVERYONE)


def test_etcd_snapshot_restore(bed: Bed, events: Events, tmp_path: Path) -> None:
    """What the cluster held at the snapshot is there again, under the identity that it had."""
    mark(bed)
    before = Cluster(bed.desk.ws.kubeconfig).identity()
    bed.on("s1", "k3s etcd-snapshot save --name drill")
    snapshot = Path(shutil.copy(bed.hosts["s1"].folder / "data" / "server" / "db" / "snapshots" / "drill", tmp_path))
    with pytest.raises(Unsafe, match="never of one that exists"):
        recover(bed, snapshot)
    bed.lose(*EVERYONE)
    events()

    cut = tmp_path / "cut"
    cut.write_bytes(snapshot.read_bytes()[:-100])
    with pytest.raises(CommandFailed) as failed:
        recover(bed, cut)
    assert "did not restore the snapshot" in failed.value.tail
    assert not events()
    assert "host s1 has no k3s yet, but a snapshot to restore" in provider(bed).exists().proof

    assert recover(bed, snapshot).lost
    found = events()
    assert found[0] == "restore s1"
    assert set(found[1:]) == joined(bed, EVERYONE)
    assert marked(bed)
    assert Cluster(bed.desk.ws.kubeconfig).identity() == before
    assert nodes(bed) == set(EVERYONE)
    assert not (bed.hosts["s1"].folder / "data" / "blackstart-restored").exists()
    assert up(bed).applied["bed-cluster"].nothing


def test_a_snapshot_without_its_token_is_refused_before_anything_changes(lone: Bed, tmp_path: Path) -> None:
    run, file = lone.run(FindKey()), tmp_path / "snapshot"
    file.write_bytes(b"etcd")
    require_restorable(run, file, lost=True)
    kept = k3s_token.file_of(run.ws)
    kept.unlink()
    with pytest.raises(KeyProblem, match="k3s-token"):
        require_restorable(run, file, lost=True)
