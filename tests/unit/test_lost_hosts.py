"""What `recover` does for hosts of k3s that were lost: the order of its steps, the addresses that are made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart import recipes
from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import ConfigError, Unsafe
from blackstart.progress import Progress
from blackstart.recovery.verdict import Row, Verdict
from blackstart.steps.apply import ApplyCluster, joins
from blackstart.steps.k3s_snapshot import require_restorable
from blackstart.steps.rescue import StartCluster
from blackstart.steps.run import Run
from blackstart.synth import Stack

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def config(**cluster: object) -> ClusterConfig:
    host = {"name": "s1", "address": "192.0.2.1"}
    return ClusterConfig.model_validate(
        {
            "cluster": cluster or {"provider": "k3s", "endpoint": "k.example.test", "servers": [host]},
            "git": {"url": "https://git.example.test/it.git", "path": "p"},
            "sops": {"recipients": [RECIPIENT]},
        }
    )


def test_a_snapshot_is_laid_before_anything_is_forgotten_and_the_join_finds_it() -> None:
    verdict = Verdict(Row.LOST, "", {"bed-cluster": ("terraform_data.server-s1",)})
    names = [step.name for step in recipes.recover(config(), verdict, snapshot=Path("/s"))]
    order = [names.index(name) for name in ("backup", "snapshot", "forget", "k3s-token", "cluster")]
    assert order == sorted(order)
    assert "snapshot" not in [step.name for step in recipes.recover(config(), verdict)]


def test_lost_hosts_join_anew_and_a_stopped_cluster_does_not_wait_for_them() -> None:
    steps = recipes.recover(config(), Verdict(Row.STOPPED, "", {}, start=True, rejoin=("s2",)))
    assert StartCluster(nodes=False) in steps
    assert ApplyCluster(rejoin=("s2",)) in steps
    assert StartCluster() in recipes.recover(config(), Verdict(Row.STOPPED, "", {}, start=True))


def test_a_server_has_a_resource_of_its_own_and_an_agent_an_instance(tmp_path: Path) -> None:
    made = {"resource": {"terraform_data": {"server-s1": {}, "agent": {}}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps(made))
    stack = Stack("bed-cluster", "cluster", tmp_path, ())
    assert joins(stack, ("s1", "a1")) == ("terraform_data.server-s1", 'terraform_data.agent["a1"]')


def test_a_snapshot_is_for_k3s_alone_and_for_a_cluster_that_is_lost(run: Run) -> None:
    with pytest.raises(Unsafe, match="never of one that exists"):
        require_restorable(run, Path("/s"), lost=False)
    run.config = config(provider="existing")
    with pytest.raises(ConfigError, match="for clusters of provider k3s; bed is existing"):
        require_restorable(run, Path("/s"), lost=True)


@pytest.mark.parametrize(("content", "told"), [(b"", "is empty"), (b"PK\x03\x04more", "is packed")])
def test_what_k3s_could_not_restore_is_no_snapshot(run: Run, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        require_restorable(run, tmp_path / "file", lost=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Workspace(tmp_path, "bed"), config(), Progress(), tmp_path)
