"""`blackstart cloud setup` and `runs`, as an operator calls them, against the peer."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blackstart.__main__ import run
from blackstart.config.cache import REGISTRY_LOCK
from blackstart.tools.age import generate
from blackstart.tools.cloud_token import variable
from blackstart.tools.terraform_cloud import TerraformCloud
from tests.hcp.peer import TOKEN, Peer
from tests.hcp.registry import PAIR

KEY = generate()
CLUSTER = """
cluster: {{provider: existing}}
git: {{url: 'https://git.example.test/ops.git', path: gitops/flux/clusters/one}}
sops: {{recipients: [{recipient}]}}
state: {{backend: cloud, cloud: {{hostname: '{hostname}', organization: acme, project: ground, execution: {mode}}}}}
"""
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def write(peer: Peer, tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a cluster file."""
    (tmp_path / "clusters").mkdir()

    def cluster(name: str, mode: str) -> None:
        mode = "agent, agent_pool: basement" if mode == "agent" else mode
        text = CLUSTER.format(recipient=KEY.recipients[0], hostname=peer.hostname, mode=mode)
        (tmp_path / "clusters" / f"{name}.yaml").write_text(text)

    return cluster


@pytest.fixture
def call(
    peer: Peer,
    registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Runs `blackstart ARGS`; gives exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLACKSTART_REGISTRY_MIRROR", str(registry))
    monkeypatch.setenv(variable(peer.hostname), TOKEN)
    monkeypatch.setenv("SOPS_AGE_KEY", KEY.identities)
    for name, value in (("HOST", "https://k8s.example.test"), ("TOKEN", "of-the-api"), ("CLUSTER_CA_CERT_DATA", "PEM")):
        monkeypatch.setenv(f"KUBE_{name}", value)

    def command(*args: str) -> tuple[int, str, str]:
        code = run(list(args))
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_setup_shows_makes_and_then_has_nothing_to_do(
    peer: Peer, call: Call, write: Callable[[str, str], None]
) -> None:
    write("one", "remote")
    code, shown, _ = call("--cluster", "one", "cloud", "setup", "--dry-run")
    assert code == 0 and "+ workspace one-flux in project ground: execution-mode remote" in shown
    assert not peer.store.workspaces
    code, made, err = call("--cluster", "one", "cloud", "setup")
    assert (code, made) == (0, shown) and "!" not in err
    flux, key = peer.store.named("one-flux"), peer.store.named("one-sops-age")
    assert flux.attributes["global-remote-state"] is False and flux.attributes["execution-mode"] == "remote"
    assert flux.attributes["tag-names"] == ["blackstart", "one"] and peer.store.projects[flux.project] == "ground"
    assert list(flux.triggers.values()) == [key.id]
    assert list(key.triggers.values()) == [peer.store.named("one-cluster").id]
    held = {one["key"]: one for one in key.variables.values()}
    assert held["age_key"]["value"] == KEY.identities and held["age_key"]["sensitive"]
    assert held["KUBE_TOKEN"]["sensitive"] and held["KUBE_HOST"]["value"] == "https://k8s.example.test"
    assert "age_key" not in {one["key"] for one in flux.variables.values()}
    assert KEY.identities.strip() not in made + err and "of-the-api" not in made + err

    peer.requests.clear()
    code, again, err = call("--cluster", "one", "cloud", "setup")
    assert (code, again) == (0, "") and "nothing to do" in err
    assert {method for method, _, _ in peer.requests} == {"GET"}
    assert len(peer.requests) <= 2 * 3 + 2


def test_the_providers_are_locked_for_the_machines_of_the_runs(
    call: Call, write: Callable[[str, str], None], registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "remote")
    lock = Path(REGISTRY_LOCK)
    monkeypatch.setenv("BLACKSTART_REGISTRY_MIRROR", str(registry.parent))
    code, _, err = call("--cluster", "one", "cloud", "setup")
    assert code == 0 and f"! no {REGISTRY_LOCK}: runs elsewhere take the newest" in err and not lock.exists()
    monkeypatch.setenv("BLACKSTART_REGISTRY_MIRROR", str(registry))
    code, _, err = call("--cluster", "one", "cloud", "setup")
    assert code == 0 and f"+ {REGISTRY_LOCK}: commit it" in err
    for name, version in PAIR.items():
        content = hashlib.sha256(f"{name} for linux_amd64".encode()).hexdigest()
        listed = f"{content}  terraform-provider-{name}_v{version}\n"
        assert f'"h1:{base64.b64encode(hashlib.sha256(listed.encode()).digest()).decode()}"' in lock.read_text()
    before = lock.read_text()
    assert REGISTRY_LOCK not in call("--cluster", "one", "cloud", "setup")[2] and lock.read_text() == before


def test_what_was_changed_by_hand_is_put_right(
    peer: Peer, call: Call, write: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("one", "remote")
    call("--cluster", "one", "cloud", "setup")
    peer.store.named("one-flux").attributes["execution-mode"] = "local"
    peer.store.named("one-flux").triggers.clear()
    code, shown, _ = call("--cluster", "one", "cloud", "setup")
    assert code == 0
    assert shown.splitlines() == [
        "~ workspace one-flux: execution-mode local → remote",
        "+ run trigger one-sops-age → one-flux",
    ]
    monkeypatch.setenv("KUBE_CLUSTER_CA_CERT_DATA", "ANOTHER")
    code, shown, _ = call("--cluster", "one", "cloud", "setup")
    assert "~ one-flux: sensitive variable KUBE_TOKEN" in shown, "the token of another cluster is another one"
    code, shown, _ = call("--cluster", "one", "cloud", "setup", "--renew-secrets")
    assert "~ one-sops-age: sensitive variable age_key" in shown and "KUBE_HOST" not in shown


def test_agents_local_execution_and_what_is_missing(
    peer: Peer, call: Call, write: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBE_TOKEN")
    write("one", "agent")
    code, _, err = call("--cluster", "one", "cloud", "setup")
    assert code == 0 and "! one-flux: KUBE_TOKEN" in err
    assert peer.store.named("one-flux").pool == "apool-1"
    write("two", "local")
    call("--cluster", "two", "cloud", "setup")
    assert not peer.store.named("two-sops-age").variables and not peer.store.named("two-flux").triggers
    peer.store.pools.clear()
    code, _, err = call("--cluster", "one", "cloud", "setup")
    assert code == 2 and "no agent pool basement" in err


def test_a_fleet_is_set_up_by_one_command(peer: Peer, call: Call, write: Callable[[str, str], None]) -> None:
    """5 clusters, 15 workspaces; a second time at most two requests a workspace (issue 8)."""
    for number in range(5):
        write(f"c{number:02d}", "remote")
    code, _, _ = call("cloud", "setup", "--all")
    assert code == 0 and len(peer.store.workspaces) == 15
    peer.requests.clear()
    code, shown, _ = call("cloud", "setup", "--all")
    assert (code, shown) == (0, "")
    assert len(peer.requests) <= 2 * 15


def test_runs_are_listed_with_links(
    peer: Peer, cloud: TerraformCloud, call: Call, write: Callable[[str, str], None]
) -> None:
    write("one", "remote")
    code, _, err = call("--cluster", "one", "cloud", "runs")
    assert code == 2 and "cloud setup" in err
    call("--cluster", "one", "cloud", "setup")
    workspace = peer.store.named("one-flux")
    peer.store.versions["cv-1"] = {"status": "uploaded", "content": b""}
    peer.store.make_run(workspace, "cv-1", {}, ["pending"])
    peer.store.named("one-cluster").locked_by = "somebody"
    code, out, _ = call("--cluster", "one", "-o", "json", "cloud", "runs")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [(row["workspace"], row["status"]) for row in rows] == [
        ("one-cluster", "locked"),
        ("one-flux", "queued, position 1"),
    ]
    assert rows[1]["link"] == f"https://{peer.hostname}/app/acme/workspaces/one-flux/runs/{rows[1]['run']}"


def test_the_newest_runs_are_followed_to_their_end(peer: Peer, call: Call, write: Callable[[str, str], None]) -> None:
    write("one", "remote")
    call("--cluster", "one", "cloud", "setup")
    assert call("--cluster", "one", "cloud", "runs", "--wait") == (0, "", ""), "no run, nothing to wait for"
    peer.store.versions["cv-1"] = {"status": "uploaded", "content": b""}
    key = peer.store.make_run(peer.store.named("one-sops-age"), "cv-1", {}, ["planning", "planning", "applied"])
    flux = peer.store.make_run(peer.store.named("one-flux"), "cv-1", {}, ["policy_override", "errored"])
    code, out, err = call("--cluster", "one", "-o", "json", "cloud", "runs", "--wait")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["run"], row["status"]) for row in rows] == [
        (key.id, "planning"),
        (flux.id, "a policy failed softly: waits for an override"),
        (flux.id, "errored"),
        (key.id, "applied"),
    ]
    assert code == 4 and "1 runs did not end well" in err and f"/one-flux/runs/{flux.id}" in err
    peer.store.workspaces.pop(peer.store.named("one-flux").id)
    code, _, err = call("--cluster", "one", "cloud", "runs", "--wait")
    assert code == 2 and "no workspace acme/one-flux" in err


def test_runs_that_do_not_end_are_left_alone(peer: Peer, call: Call, write: Callable[[str, str], None]) -> None:
    write("one", "remote")
    call("--cluster", "one", "cloud", "setup")
    peer.store.versions["cv-1"] = {"status": "uploaded", "content": b""}
    run = peer.store.make_run(peer.store.named("one-flux"), "cv-1", {}, ["pending"])
    with open("clusters/one.yaml", "a") as file:
        file.write("timeouts: {remote_run: 1}\n")
    code, _, err = call("--cluster", "one", "cloud", "runs", "--wait")
    assert code == 5 and "one-flux: queued, position 1" in err and not run.canceled


def test_another_backend_is_told(tmp_path: Path, call: Call) -> None:
    (tmp_path / "clusters").mkdir()
    text = CLUSTER.format(recipient=KEY.recipients[0], hostname="h", mode="local").partition("state:")[0]
    (tmp_path / "clusters" / "one.yaml").write_text(text)
    code, _, err = call("--cluster", "one", "cloud", "setup")
    assert code == 2 and "keeps its states elsewhere" in err
