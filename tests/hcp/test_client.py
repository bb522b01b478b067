"""The client against the peer: what it repeats, how long it pauses, which error it makes of a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart.errors import ConfigError, Locked, ToolFailed
from blackstart.tools.cloud_token import token, variable
from blackstart.tools.process import redact
from blackstart.tools.terraform_cloud import NotThere, TerraformCloud
from tests.hcp.peer import DROP, TOKEN, Fault, Peer


def _make(cloud: TerraformCloud, name: str = "one") -> str:
    return cloud.create("organizations/acme/workspaces", "workspaces", {"name": name, "execution-mode": "local"}).id


def test_a_burst_of_5xx_and_a_dropped_connection_are_outlived(peer: Peer, cloud: TerraformCloud) -> None:
    _make(cloud)
    peer.faults += [Fault(500), Fault(502), Fault(DROP), Fault(503)]
    assert cloud.get("organizations/acme/workspaces/one").attributes["name"] == "one"


def test_a_429_is_waited_for_as_long_as_it_asks(peer: Peer) -> None:
    paused: list[float] = []
    cloud = TerraformCloud(peer.hostname, TOKEN, pause=paused.append, clock=lambda: 0.0)
    peer.faults += [Fault(429, {"X-RateLimit-Reset": "0.7"}), Fault(429, {"Retry-After": "3"})]
    _make(cloud)
    assert [one for one in paused if one > 0.2] == [0.7, 3.0]


def test_fewer_than_30_requests_a_second(peer: Peer) -> None:
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    cloud = TerraformCloud(peer.hostname, TOKEN, pause=pause, clock=lambda: now[0])
    for _ in range(59):
        cloud.find("workspaces/none")
    assert 2.0 <= now[0] < 2.1


def test_a_post_that_may_have_been_carried_out_is_not_repeated(peer: Peer, cloud: TerraformCloud) -> None:
    peer.faults.append(Fault(502))
    with pytest.raises(ToolFailed):
        _make(cloud)
    peer.faults.append(Fault(DROP))
    with pytest.raises(ToolFailed):
        _make(cloud)
    assert len(peer.asked("POST", "/workspaces$")) == 2


def test_refusals_are_told_apart(peer: Peer, cloud: TerraformCloud) -> None:
    identifier = _make(cloud)
    with pytest.raises(ConfigError, match="401"):
        TerraformCloud(peer.hostname, "wrong").get("organizations/acme/workspaces/one")
    with pytest.raises(NotThere, match="may not see it"):
        cloud.get("organizations/other/workspaces/one")
    with pytest.raises(ToolFailed, match="already been taken"):
        _make(cloud)
    cloud.act(f"workspaces/{identifier}/actions/lock", reason="first")
    with pytest.raises(Locked, match="first"):
        cloud.act(f"workspaces/{identifier}/actions/lock", reason="second")


def test_collections_come_page_after_page(peer: Peer, cloud: TerraformCloud) -> None:
    for number in range(103):
        peer.store.make_workspace({"name": f"w{number}"}, "", "")
    assert len({one.id for one in cloud.list("organizations/acme/workspaces")}) == 103


def test_tokens_come_from_terraforms_own_places(tmp_path: Path) -> None:
    kept = tmp_path / ".terraform.d" / "credentials.tfrc.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"credentials": {"tfe.example.test": {"token": "from-login"}}}))
    env = {"HOME": str(tmp_path), "TFE_TOKEN": "from-tfe", variable("a-b.example.test"): "from-variable"}
    assert variable("a-b.example.test") == "TF_TOKEN_a__b_example_test"
    assert token("a-b.example.test", env) == "from-variable"
    assert token("tfe.example.test", env) == "from-login"
    assert token("other.example.test", env) == "from-tfe"
    assert redact("it is from-login") == "it is ***"
    with pytest.raises(ConfigError, match="no token for other"):
        token("other.example.test", {"HOME": str(tmp_path)})
