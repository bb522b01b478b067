"""The stack of a k3s cluster: who depends on whom, what replaces what, and that nothing secret stands in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from blackstart.config.model import Host, Ssh
from blackstart.errors import ConfigError
from modules.clusters.k3s.known_hosts import host_key
from tests.synth.conftest import HOST_KEY


@pytest.fixture
def whole(stacks: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((stacks / "metal-cluster" / "cdk.tf.json").read_text())
    return made


@pytest.fixture
def made(whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whole["resource"]["terraform_data"]
    return found


def before(made: dict[str, Any], name: str) -> set[str]:
    """Everything that a resource waits for."""
    direct = {one.removeprefix("terraform_data.") for one in made[name].get("depends_on", ())}
    return direct.union(*(before(made, one) for one in direct))


def test_servers_join_one_by_one_and_agents_once_the_first_one_runs(made: dict[str, Any]) -> None:
    assert "server-s1" in before(made, "server-s2")
    assert "server-s2" in before(made, "server-s3")
    assert "server-s1" in before(made, "agent")
    assert not {"server-s2", "server-s3"} & before(made, "agent")
    assert {"server-s3", "agent"} <= before(made, "ready")


def test_versions_follow_one_another_servers_first(made: dict[str, Any]) -> None:
    assert "version-s1" in before(made, "version-s2")
    assert {"version-s1", "version-s2", "version-s3"} <= before(made, "version-a1")


def test_a_node_is_replaced_by_its_address_alone_and_upgraded_by_the_version_alone(made: dict[str, Any]) -> None:
    assert made["server-s2"]["triggers_replace"] == {"name": "s2", "address": "192.0.2.12", "port": "22"}
    assert made["version-s2"]["triggers_replace"] == {"version": "v1.34.1+k3s1"}


def test_the_token_is_ephemeral_and_only_ever_uploaded(whole: dict[str, Any], made: dict[str, Any]) -> None:
    variable = whole["variable"]["k3s_token"]
    assert (variable["ephemeral"], variable["sensitive"]) == (True, True)
    uses = [
        (kind, body)
        for resource in made.values()
        for step in resource.get("provisioner", ())
        for kind, body in step.items()
        if "var.k3s_token" in json.dumps(body)
    ]
    assert uses
    assert all(kind == "file" and body["destination"].endswith("/token") for kind, body in uses)


def test_every_connection_checks_a_host_key(made: dict[str, Any]) -> None:
    steps = [body for one in made.values() for step in one.get("provisioner", ()) for body in step.values()]
    connections = [body["connection"] for body in steps if "connection" in body]
    assert connections
    for one in connections:
        assert one["host_key"] == HOST_KEY or one["host_key"] == "${self.input.host_key}"
        assert one["private_key"] == '${file(pathexpand("~/.ssh/id"))}'


def test_destroying_names_nothing_but_itself(made: dict[str, Any]) -> None:
    for resource in made.values():
        for step in resource.get("provisioner", ()):
            for body in step.values():
                if body.get("when") == "destroy":
                    found = set(re.findall(r"(?<!\$)\$\{([^}]*)\}", json.dumps(body)))
                    assert all(one.startswith(("self.input.", "file(pathexpand(")) for one in found), found


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (f"192.0.2.1 {HOST_KEY}", True),
        (f"other.example.test {HOST_KEY}", False),
        (f"@revoked 192.0.2.1 {HOST_KEY}\n192.0.2.1 {HOST_KEY}", False),
        (f"@cert-authority *,192.0.2.* {HOST_KEY}", True),
        (f"[192.0.2.1]:2222 {HOST_KEY}", False),
    ],
)
def test_a_host_needs_a_key_that_was_verified(tmp_path: Path, line: str, known: bool) -> None:
    (tmp_path / "known").write_text(line + "\n")
    ssh, host = Ssh(known_hosts="known"), Host(name="s1", address="192.0.2.1")
    if known:
        assert host_key(tmp_path, ssh, host) == HOST_KEY
        return
    with pytest.raises(ConfigError, match="never accepted") as refused:
        host_key(tmp_path, ssh, host)
    assert "host s1" in refused.value.message
    assert "ssh-keyscan" in refused.value.hint


def test_without_the_file_no_host_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="never accepted"):
        host_key(tmp_path, Ssh(known_hosts="absent"), Host(name="s1", address="192.0.2.1"))
