"""Remote runs: followed by their own names (the peer plays a script), and really carried out in a clean place."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from blackstart.errors import GateTimeout, Interrupted, Locked, ToolFailed
from blackstart.tools.age import generate
from blackstart.tools.cloud_run import Following
from blackstart.tools.remote_terraform import Elsewhere, RemoteTerraform, slug
from blackstart.tools.terraform_cloud import TerraformCloud
from tests.hcp.peer import TOKEN, Peer
from tests.secrecy.searching import Secret, in_files

STACK = {
    "terraform": {"cloud": {"organization": "acme", "workspaces": {"name": "one"}}},
    "variable": {
        "age_key": {"type": "string", "sensitive": True, "ephemeral": True},
        "suspended": {"type": "string", "default": "[]"},
    },
    "resource": {"terraform_data": {"first": {"input": "${var.suspended}"}, "second": {"input": "b"}}},
}


KEY = generate().identities.strip()


@pytest.fixture
def told() -> list[str]:
    """Why a run was not done, each time that was told."""
    return []


@pytest.fixture
def remote(peer: Peer, tmp_path: Path, told: list[str]) -> Callable[..., RemoteTerraform]:
    """Makes a stack with its workspace in remote execution."""
    cloud = TerraformCloud(peer.hostname, TOKEN, pause=lambda seconds: None if peer.script else _real(seconds))
    made = cloud.create("organizations/acme/workspaces", "workspaces", {"name": "one", "execution-mode": "remote"})
    key = {"key": "age_key", "value": KEY, "category": "terraform", "sensitive": True}
    cloud.create(f"workspaces/{made.id}/vars", "vars", key)
    (tmp_path / "cdk.tf.json").write_text(json.dumps(STACK))

    def make(cancel: bool = False, seconds: float = 60, **variables: str) -> RemoteTerraform:
        following = Following(told.append, lambda link: cancel, seconds, tmp_path / "logs" / "one.log")
        return RemoteTerraform(tmp_path, Elsewhere(cloud, "acme", "one", following, variables))

    return make


def _real(seconds: float) -> None:
    """Remote runs of terraform take their time: poll more often than an operator would."""
    import threading

    threading.Event().wait(min(seconds, 0.1))


def test_what_a_run_waits_for_is_told_by_its_own_name(
    peer: Peer, remote: Callable[..., RemoteTerraform], told: list[str]
) -> None:
    peer.script = ["pending", "pre_plan_running", "planning", "cost_estimating", "policy_checking", "policy_override"]
    peer.script += ["post_plan_awaiting_decision", "policy_checked", "applying", "applied"]
    assert remote().apply().nothing
    reasons = [line.partition(" · ")[0] for line in told]
    assert reasons == [
        "queued, position 1",
        "task stage pre_plan: running",
        "planning",
        "cost estimation",
        "policy checks",
        "a policy failed softly: waits for an override",
        "task stage post_plan: awaiting decision",
        "policy checked",
        "applying",
    ]
    assert f"https://{peer.hostname}/app/acme/workspaces/one/runs/run-" in told[0]


def test_a_confirmation_is_a_wait(peer: Peer, remote: Callable[..., RemoteTerraform], told: list[str]) -> None:
    peer.script = ["planned", "planned_and_finished"]
    terraform = remote()
    terraform._run_there({"auto-apply": False}, None)
    assert told[0].startswith("waits for confirmation · ")


@pytest.mark.parametrize("status", ["discarded", "errored", "canceled", "policy_soft_failed"])
def test_a_bad_end_is_an_error_with_the_link(peer: Peer, remote: Callable[..., RemoteTerraform], status: str) -> None:
    peer.script = [status]
    with pytest.raises(ToolFailed, match=f"/runs/run-.* ended as {status}"):
        remote().apply()


def test_a_queue_that_stands_still_is_left_alone(peer: Peer, remote: Callable[..., RemoteTerraform]) -> None:
    peer.script = ["pending"]
    with pytest.raises(GateTimeout, match="queued, position 1"):
        remote(seconds=-1).apply()
    assert not peer.asked("POST", "/actions/cancel")


@pytest.mark.parametrize("cancel", [False, True])
def test_ctrl_c_leaves_or_cancels(peer: Peer, remote: Callable[..., RemoteTerraform], cancel: bool) -> None:
    peer.script = ["planning"]
    terraform = remote(cancel=cancel)

    def interrupt(reason: str) -> None:
        raise KeyboardInterrupt

    object.__setattr__(terraform._at.following, "told", interrupt)
    with pytest.raises(Interrupted, match="canceled|stopped" if cancel else "goes on by itself"):
        terraform.apply()
    assert len(peer.asked("POST", "/actions/cancel")) == cancel


def test_a_real_run_in_a_clean_place(peer: Peer, remote: Callable[..., RemoteTerraform], tmp_path: Path) -> None:
    """One workspace's life: plan, apply, adoption by import, forget under the lock, a wrong serial, destroy."""
    terraform = remote(suspended='["apps"]')
    assert [one.address for one in terraform.plan()] == ["terraform_data.first", "terraform_data.second"]
    begun: list[str] = []
    assert terraform.apply(on_resource=begun.append).added == 2
    assert sorted(begun) == ["terraform_data.first", "terraform_data.second"]
    state = terraform.pull()
    assert state is not None and "apps" in json.dumps(state.resources) and KEY not in terraform.pull_text()
    assert terraform.apply().nothing

    terraform.forget(["terraform_data.second"])
    after = terraform.pull()
    assert after is not None and after.addresses() == ["terraform_data.first"] and after.serial == state.serial + 1
    terraform.adopt("terraform_data.second", "an-id")
    adopted = terraform.apply()
    assert adopted.added == 0 and adopted.changed >= 1
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"version": 4, "serial": 0, "lineage": state.lineage, "resources": []}))
    with pytest.raises(ToolFailed, match="serial"):
        terraform.push(old)
    assert not peer.store.named("one").locked_by
    assert terraform.apply(replace=("terraform_data.first",)).added == 1
    assert terraform.destroy().removed == 2
    sent = json.dumps(peer.asked("POST", "/runs$"))
    assert "suspended" in sent and KEY not in sent
    assert "terraform_data.first: Creating..." in (tmp_path / "logs" / "one.log").read_text()

    assert peer.folder
    secrets = [Secret(KEY), Secret(TOKEN)]
    assert in_files(secrets, [tmp_path, peer.folder], lambda path: path.parent.name == "sensitive") == []
    assert in_files(secrets, [peer.folder], lambda path: False), "the search finds what is there"


def test_what_needs_the_laptop_fails_there(peer: Peer, remote: Callable[..., RemoteTerraform], tmp_path: Path) -> None:
    program = {"local-exec": {"command": "python -m blackstart.embedded create || exit 1"}}
    stack = {**STACK, "resource": {"terraform_data": {"first": {"provisioner": [program]}}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps(stack))
    with pytest.raises(ToolFailed, match="ended as errored"):
        remote().apply()


def test_a_locked_workspace_is_not_forced(peer: Peer, remote: Callable[..., RemoteTerraform]) -> None:
    terraform = remote()
    peer.store.named("one").locked_by = "somebody else"
    with pytest.raises(Locked, match="somebody else"):
        terraform.forget(["terraform_data.first"])


def test_a_run_of_a_locked_workspace_waits_for_its_turn(
    peer: Peer, remote: Callable[..., RemoteTerraform], told: list[str]
) -> None:
    workspace = peer.store.named("one")
    workspace.locked_by = "somebody else"

    def unlock(reason: str) -> None:
        told.append(reason)
        if workspace.locked_by:
            peer.store.release(workspace)

    terraform = remote()
    object.__setattr__(terraform._at.following, "told", unlock)
    assert terraform.apply().added == 2
    assert told[0].startswith("queued, position 1 · ")


def test_a_slug_holds_nothing_of_this_machine(tmp_path: Path) -> None:
    for name in ("cdk.tf.json", ".terraform.lock.hcl", ".terraform/providers/x", "assets/chart/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "errored.tfstate").write_text("secret")
    with tarfile.open(fileobj=io.BytesIO(slug(tmp_path, [{"to": "a.b", "id": "c"}]))) as tar:
        names = {one.name for one in tar if one.isfile()}
        owners = {(one.uid, one.uname) for one in tar}
    assert names == {"cdk.tf.json", ".terraform.lock.hcl", "assets/chart/Chart.yaml", "blackstart-adopt.tf.json"}
    assert owners == {(0, "")}
