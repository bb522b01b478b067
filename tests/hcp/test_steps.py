"""The steps over a stack whose runs are elsewhere: they do not know it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import ConfigError
from blackstart.progress import Progress, Recorder
from blackstart.steps.apply import initialize
from blackstart.steps.rescue import ForgetInCluster
from blackstart.steps.run import Run
from blackstart.steps.states import read_state
from blackstart.synth import Manifest, Stack
from blackstart.tools.age import generate
from blackstart.tools.cloud_token import variable
from blackstart.tools.remote_terraform import RemoteTerraform
from blackstart.tools.terraform import Terraform
from tests.hcp.peer import TOKEN, Peer

CONFIG = {
    "cluster": {"provider": "existing"},
    "git": {"url": "https://git.example.test/ops.git", "path": "x"},
    "sops": {"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
}
TERRAFORM_JSON = {
    "terraform": {"required_version": ">= 1.11.0"},
    "variable": {"suspended": {"type": "string", "default": "[]"}},
    "resource": {"terraform_data": {"record": {"input": "${var.suspended}"}}},
}


def config(peer: Peer, execution: str, **more: object) -> ClusterConfig:
    """A cluster whose states are on the peer."""
    cloud = {"hostname": peer.hostname, "organization": "acme", "execution": execution}
    return ClusterConfig.model_validate({**CONFIG, "state": {"backend": "cloud", "cloud": cloud}, **more})


@pytest.fixture
def run(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose flux stack is a record, in remote execution."""
    monkeypatch.setenv(variable(peer.hostname), TOKEN)
    folder = tmp_path / "one-flux"
    folder.mkdir()
    (folder / "cdk.tf.json").write_text(json.dumps(TERRAFORM_JSON))
    made = Run(Workspace(tmp_path, "one"), config(peer, "remote"), Progress(Recorder()), tmp_path / "run")
    made.found_manifest = Manifest((Stack("one-flux", "flux", folder, ()),))
    return made


def test_a_workspace_must_be_there_and_in_the_right_mode(peer: Peer, run: Run) -> None:
    stack = run.manifest.stacks[0]
    with pytest.raises(ConfigError, match="not there") as caught:
        initialize(run, stack, run.terraform(stack))
    assert caught.value.hint == "blackstart --cluster one cloud setup"
    peer.store.make_workspace({"name": "one-flux", "execution-mode": "local"}, "", "")
    with pytest.raises(ConfigError, match="its execution mode is local, the cluster file says remote"):
        initialize(run, stack, run.terraform(stack))
    peer.store.named("one-flux").attributes["execution-mode"] = "remote"
    initialize(run, stack, run.terraform(stack))
    peer.store.named("one-flux").attributes["execution-mode"] = "agent"
    with pytest.raises(ConfigError, match="its execution mode is agent"):
        initialize(run, stack, run.terraform(stack))


def test_what_a_lost_cluster_left_is_forgotten_by_the_api(
    peer: Peer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = peer.store.make_workspace({"name": "one-flux", "execution-mode": "remote"}, "", "")
    stack = run.manifest.stacks[0]
    run.suspended = ("apps",)
    terraform = run.terraform(stack)
    assert isinstance(terraform, RemoteTerraform)
    assert terraform.apply().added == 1
    assert peer.asked("POST", "/runs$")[0]["data"]["attributes"]["variables"] == [
        {"key": "suspended", "value": json.dumps('["apps"]')}
    ]
    locked: list[bool] = []
    monkeypatch.setattr("blackstart.steps.states.write_private", lambda *_: locked.append(bool(workspace.locked_by)))
    with run.progress.step("forget") as note:
        ForgetInCluster(("one-flux",)).run(run, note)
    assert locked == [True], "backed up once, between lock and push"
    state = read_state(run, stack, terraform)
    assert note.text == "1 resources forgotten" and state is not None and state.addresses() == []
    assert len(peer.asked("POST", "/actions/lock")) == len(peer.asked("POST", "/actions/unlock")) == 1
    assert not workspace.locked_by and (run.folder / "logs" / "one-flux.log").is_file()


def test_a_secret_that_is_replaced_takes_the_key_of_this_machine(peer: Peer, run: Run) -> None:
    """After a rotation, or when the workspace holds the wrong key: as a sensitive variable, never of a run."""
    stack = replace(run.manifest.stacks[0], part="sops-age")
    run.found_key = generate()
    workspace = peer.store.make_workspace({"name": "one-flux", "execution-mode": "remote"}, "", "")
    workspace.variables["var-1"] = {"key": "age_key", "value": "old", "category": "terraform", "sensitive": True}
    peer.script = ["planned_and_finished"]
    terraform = run.terraform(stack)
    terraform.apply()
    assert workspace.variables["var-1"]["value"] == "old"
    terraform.apply(replace=("kubernetes_secret_v1.sops-age",))
    assert workspace.variables["var-1"]["value"] == run.key.identities and workspace.variables["var-1"]["sensitive"]
    assert run.key.identities.strip() not in json.dumps(peer.asked("POST", "/runs$"))


def test_in_local_execution_terraform_gets_the_token_by_its_environment(peer: Peer, run: Run) -> None:
    run.config = config(peer, "local")
    terraform = run.terraform(run.manifest.stacks[0])
    assert type(terraform) is Terraform
    assert terraform._env[variable(peer.hostname)] == TOKEN


def test_remote_runs_need_nothing_of_this_machine(peer: Peer) -> None:
    with pytest.raises(ValidationError, match="need cluster"):
        config(peer, "remote", cluster={"provider": "kind"})
    with pytest.raises(ValidationError, match="need cluster"):
        config(peer, "remote", providers="builtin")
    with pytest.raises(ValidationError, match="belong together"):
        config(peer, "agent")
    assert config(peer, "local", cluster={"provider": "kind"}).state.runs_remotely is False
