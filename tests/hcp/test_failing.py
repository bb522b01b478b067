"""The peer told to fail while terraform works, here and there; and what it refuses as HCP does."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from python_terraform import IsFlagged

from blackstart import toolchain
from blackstart.errors import CommandFailed, ToolFailed
from blackstart.tools.cloud_run import Following
from blackstart.tools.cloud_token import variable
from blackstart.tools.process import Command, run
from blackstart.tools.remote_terraform import Elsewhere, RemoteTerraform
from blackstart.tools.terraform import Terraform
from blackstart.tools.terraform_cloud import TerraformCloud
from tests.hcp.peer import DROP, MEDIA, TOKEN, Fault, Peer

RESOURCES = {"terraform_data": {"first": {"input": "a"}, "second": {"input": "b"}}}
Remote = Callable[..., RemoteTerraform]


@pytest.fixture
def here(peer: Peer, tmp_path: Path) -> Terraform:
    """A stack whose state is on the peer, initialized."""
    peer.store.make_workspace({"name": "one", "execution-mode": "local"}, "", "")
    where = {"hostname": peer.hostname, "organization": "acme", "workspaces": {"name": "one"}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"cloud": where}, "resource": RESOURCES}))
    ready = Terraform(tmp_path, binary=toolchain.path("terraform"), env={variable(peer.hostname): TOKEN})
    ready.init()
    return ready


@pytest.fixture
def there(peer: Peer, tmp_path: Path) -> Remote:
    """Makes the stack of a workspace whose runs are on the peer; what is told goes to `told`."""
    cloud = TerraformCloud(peer.hostname, TOKEN)
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"resource": RESOURCES}))

    def make(told: Callable[[str], None] = lambda why: None, **workspace: str) -> RemoteTerraform:
        peer.store.make_workspace({"name": "one", "execution-mode": "remote", **workspace}, "", "")
        following = Following(told, lambda link: False, 60, tmp_path / "one.log")
        return RemoteTerraform(tmp_path, Elsewhere(cloud, "acme", "one", following))

    return make


def test_terraform_here_outlives_a_burst(peer: Peer, here: Terraform) -> None:
    """5xx, a 429 and a dropped connection, at the lock, while the state is read, and while it is written."""
    peer.faults += [Fault(DROP, at="POST .*/actions/lock"), Fault(429, {"X-RateLimit-Reset": "0.1"}, "POST .*/lock")]
    peer.faults += [Fault(502, at="GET .*/current-state-version"), Fault(503, at="POST .*/state-versions")]
    peer.faults += [Fault(DROP, at="PUT /_upload/state"), Fault(500, at="POST .*/unlock")]
    assert here.apply().added == 2
    assert not peer.faults and not peer.store.named("one").locked_by
    assert len(peer.store.named("one").states) == 1


def test_a_state_whose_upload_breaks_off_for_good_is_left_here(peer: Peer, here: Terraform, tmp_path: Path) -> None:
    peer.faults += [Fault(422, at="PUT /_upload/state")] * 50
    with pytest.raises(CommandFailed):
        here.apply()
    peer.faults.clear()
    left = json.loads((tmp_path / "errored.tfstate").read_text())
    assert len(left["resources"]) == 2 and not peer.store.named("one").states


def test_a_connection_that_drops_in_mid_apply_is_outlived(peer: Peer, there: Remote, tmp_path: Path) -> None:
    """The run goes on meanwhile; each line of its log is there once."""

    def drop(why: str) -> None:
        if why.startswith("applying") or why.startswith("planning"):
            peer.faults[:] = [Fault(DROP, at="GET .*/runs/"), Fault(502, at="GET .*/runs/"), Fault(DROP, at="/_log/")]

    terraform = there(drop)
    assert terraform.apply().added == 2
    assert {one.split("/")[1] for one in peer.failed} == {"api", "_log"}
    lines = (tmp_path / "one.log").read_text().splitlines()
    assert sum("terraform_data.first: Creating..." in line for line in lines) == 1
    assert sum("Apply complete! Resources: 2 added" in line for line in lines) == 1


def test_terraform_itself_runs_there(peer: Peer, here: Terraform) -> None:
    """A plain `terraform apply` speaks to the same workspace: what cdktf and people without blackstart do."""
    peer.store.named("one").attributes["execution-mode"] = "remote"
    said: list[str] = []
    argv = here.command("apply", auto_approve=IsFlagged, no_color=IsFlagged, input=False)
    env = {variable(peer.hostname): TOKEN}
    run(Command(argv, env=env, cwd=here.folder, timeout=60), on_line=said.append)
    assert any("Plan: 2 to add" in line for line in said)
    assert [one.status for one in peer.store.runs.values()] == ["applied"]
    assert here.apply().nothing and len(here.pull_text()) > 100


def test_a_worker_that_dies_in_mid_apply_is_an_error_with_the_link(peer: Peer, there: Remote) -> None:
    peer.worker.dies_at = "terraform_data.second: Creat"
    terraform = there()
    with pytest.raises(ToolFailed, match=r"/runs/run-\d+ ended as errored") as caught:
        terraform.apply()
    assert "blackstart up" in caught.value.hint
    assert not peer.store.named("one").states and not peer.store.named("one").locked_by
    assert terraform.apply().added == 2


def test_a_run_waits_for_an_agent_of_its_pool(peer: Peer, there: Remote) -> None:
    told: list[str] = []

    def join(why: str) -> None:
        told.append(why.partition(" · ")[0])
        with peer.store.changed:
            peer.store.agents.add("apool-1")
            peer.store.changed.notify_all()

    peer.store.agents.clear()
    terraform = there(join, **{"execution-mode": "agent", "agent-pool-id": "apool-1"})
    assert terraform.apply().added == 2
    assert told[0] == "plan queued, waits for a worker"


def _asked(peer: Peer, path: str, *, body: Any = None, **headers: str) -> tuple[int, str]:
    with httpx2.Client(verify=ssl.create_default_context()) as http:
        plain = {"Authorization": f"Bearer {TOKEN}", "Content-Type": MEDIA}
        method = "GET" if body is None else "POST"
        answer = http.request(method, f"{peer.base}/api/v2/{path}", json=body, headers={**plain, **headers})
    return answer.status_code, answer.json()["errors"][0]["detail"]


def test_what_hcp_refuses_the_peer_refuses(peer: Peer) -> None:
    workspace = peer.store.make_workspace({"name": "one"}, "", "")
    peer.store.make_workspace({"name": "here", "execution-mode": "local"}, "", "")
    data: dict[str, Any] = {"data": {"type": "workspaces", "attributes": {"name": "two"}}}
    assert _asked(peer, "organizations/acme/workspaces", Authorization="Bearer no") == (401, "unauthorized")
    refused = _asked(peer, "organizations/acme/workspaces", body=data, **{"Content-Type": "application/json"})
    assert refused[0] == 415
    assert _asked(peer, "organizations/acme/workspaces/none")[0] == 404
    assert _asked(peer, "organizations/acme/workspaces", body={"data": {}})[0] == 422
    agent = {"data": {"type": "workspaces", "attributes": {"name": "two", "execution-mode": "agent"}}}
    refused = _asked(peer, "organizations/acme/workspaces", body=agent)
    assert refused[0] == 422 and "Agent pool" in refused[1]
    state = {"data": {"type": "state-versions", "attributes": {"serial": 1, "md5": "x", "lineage": "l"}}}
    refused = _asked(peer, f"workspaces/{workspace.id}/state-versions", body=state)
    assert refused == (409, "workspace must be locked to create a state version")
    peer.store.take_lock(workspace, "me")
    refused = _asked(peer, f"workspaces/{workspace.id}/actions/lock", body={"reason": "you"})
    assert refused == (409, "already locked by me")
    unfinished = {"data": {"type": "state-versions", "attributes": {"serial": 1}}}
    assert _asked(peer, f"workspaces/{workspace.id}/state-versions", body=unfinished)[0] == 422
    workspace.states.append({"id": "sv-1", "serial": 3, "lineage": "l", "md5": "y", "raw": b"{}"})
    for serial, lineage, why in ((4, "another", "lineage"), (2, "l", "serial"), (3, "l", "serial")):
        state["data"]["attributes"] = {"serial": serial, "md5": "x", "lineage": lineage}
        refused = _asked(peer, f"workspaces/{workspace.id}/state-versions", body=state)
        assert refused[0] == 409 and why in refused[1]


def test_a_peer_goes_on_from_its_disk(
    peer: Peer, here: Terraform, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    """Workspaces, variables, locks, states and runs are on disk; what is sensitive lies apart."""
    here.apply()
    workspace = peer.store.named("one")
    workspace.variables["var-9"] = {"key": "k", "value": "word", "category": "env", "sensitive": True}
    peer.store.take_lock(workspace, "somebody")
    peer.store.versions["cv-1"] = {"status": "uploaded", "content": b"packed"}
    peer.store.make_run(workspace, "cv-1", {}, ["pending"])
    peer.store.save()
    assert peer.folder
    holding = [path.parent.name for path in peer.folder.rglob("*") if path.is_file() and b"word" in path.read_bytes()]
    assert holding == ["sensitive"]
    other = Peer(*certificates, toolchain.path("terraform"), peer.folder)
    try:
        again = other.store.named("one")
        assert again == workspace and other.store.versions == peer.store.versions
        assert other.store.runs.keys() == peer.store.runs.keys()
        assert other.store.new("x") not in {*other.store.runs, *other.store.workspaces}
    finally:
        other.stop()
