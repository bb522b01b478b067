"""The pure parts of the embedded cluster: ports, flags, configuration, the Git server's parsing."""

from __future__ import annotations

import configparser
import io
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from blackstart.config import Workspace
from blackstart.embedded import control_plane, controllers, git_server, keeper, ports, supervision
from blackstart.embedded.place import MARK, Place
from blackstart.errors import ConfigError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Workspace(tmp_path, "local"))


def deployment(name: str, *flags: str, replicas: int = 1) -> dict[str, Any]:
    env = [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    container = {"name": "manager", "args": list(flags), "env": env}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
    }


def definitions(*plurals: str, established: str = "True") -> keeper.Objects:
    condition = {"type": "Established", "status": established}
    return {f"{plural}.source.toolkit.fluxcd.io": {"status": {"conditions": [condition]}} for plural in plurals}


def test_ports_are_one_free_block_outside_the_ephemeral_range() -> None:
    chosen = ports.choose("a", free=lambda port: True)
    assert sorted(chosen) == sorted(ports.NAMES)
    assert len(set(chosen.values())) == len(ports.NAMES)
    assert all(10_000 <= port < 20_000 for port in chosen.values())


def test_a_taken_port_moves_the_whole_block() -> None:
    first = ports.choose("a", free=lambda port: True)
    second = ports.choose("a", free=lambda port: port != first["etcd"])
    assert not set(first.values()) & set(second.values())


def test_no_free_port_is_an_error_with_a_hint() -> None:
    with pytest.raises(ConfigError) as caught:
        ports.choose("a", free=lambda port: False)
    assert caught.value.hint


def test_ports_are_remembered(place: Place) -> None:
    place.make()
    assert place.ports() == place.ports()
    assert (place.folder / "ports.json").stat().st_mode & 0o777 == 0o600


def test_controller_keeps_its_deployments_flags_and_gets_loopback_addresses(place: Place) -> None:
    place.make()
    asked = deployment(
        "source-controller",
        "--events-addr=http://notification-controller.flux-system.svc.cluster.local./",
        "--watch-all-namespaces",
        "--enable-leader-election",
        "--storage-path=/data",
        "--storage-adv-addr=source-controller.$(RUNTIME_NAMESPACE).svc.cluster.local.",
        "--requeue-dependency=5s",
        "--custom=$(RUNTIME_NAMESPACE)/x",
    )
    flags = controllers.flags(asked, place.ports(), place)
    storage = f"127.0.0.1:{place.ports()['source-controller/storage']}"
    assert flags[:3] == ["--watch-all-namespaces", "--requeue-dependency=5s", "--custom=flux-system/x"]
    assert f"--storage-adv-addr={storage}" in flags
    assert f"--storage-path={place.storage}" in flags
    assert not [flag for flag in flags if "leader" in flag or "svc.cluster" in flag or flag == "--storage-path=/data"]


@pytest.mark.parametrize(("replicas", "expected"), [(0, False), (1, True), (3, True)])
def test_a_controller_is_wanted_by_its_replicas(replicas: int, expected: bool) -> None:
    assert controllers.wanted(deployment("helm-controller", replicas=replicas)) is expected


def test_a_deployment_that_is_being_deleted_wants_no_controller() -> None:
    going = deployment("helm-controller")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not controllers.wanted(going)


class RecordingSupervisor:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def start(self, name: str) -> None:
        self.calls.append(("start", name))

    def stop(self, name: str) -> None:
        self.calls.append(("stop", name))


def kept(place: Place, *seen: tuple[str, keeper.Objects]) -> list[tuple[str, str]]:
    place.make()
    supervisor = RecordingSupervisor()
    watcher = keeper.Keeper(place, supervisor)
    for kind, objects in seen:
        watcher.see(kind, objects)
    return [call for call in supervisor.calls if call[1] == "source-controller"]


ALL = definitions(*controllers.NEEDS["source-controller"])
WANTED = {"flux-system/source-controller": deployment("source-controller")}


def test_nothing_is_done_before_both_kinds_were_seen(place: Place) -> None:
    assert kept(place, ("Deployment", WANTED)) == []


def test_a_controller_starts_once_all_its_kinds_are_established(place: Place) -> None:
    some = definitions("gitrepositories")
    young = definitions(*controllers.NEEDS["source-controller"], established="False")
    assert (
        kept(
            place,
            ("Deployment", WANTED),
            ("CustomResourceDefinition", some),
            ("CustomResourceDefinition", young),
        )
        == []
    )
    assert kept(place, ("Deployment", WANTED), ("CustomResourceDefinition", ALL)) == [("start", "source-controller")]


def test_a_controller_ends_when_its_deployment_does(place: Place) -> None:
    calls = kept(place, ("CustomResourceDefinition", ALL), ("Deployment", WANTED), ("Deployment", {}))
    assert calls == [("start", "source-controller"), ("stop", "source-controller")]
    assert not place.controller("source-controller").exists()


def test_a_changed_pod_template_is_a_rollout(place: Place) -> None:
    changed = {"flux-system/source-controller": deployment("source-controller", "--log-level=debug")}
    calls = kept(place, ("CustomResourceDefinition", ALL), ("Deployment", WANTED), ("Deployment", changed))
    assert [call for call, _ in calls] == ["start", "stop", "start"]


def test_the_control_plane_is_bound_to_loopback_with_the_chosen_ports() -> None:
    chosen = ports.choose("a", free=lambda port: True)
    text = control_plane.configuration(chosen, {name: f"/bin/{name}" for name in control_plane.COMPONENTS})
    options = YAML(typ="safe").load(text)["options"]
    assert options["bindAddress"] == "127.0.0.1"
    assert options["etcdBinary"] == "/bin/etcd"
    assert {options[key] for key in options if key.endswith("Port")} == {
        chosen[name] for name in ports.NAMES if "/" not in name
    }


def test_a_record_without_components_is_not_a_whole_cluster(place: Place) -> None:
    place.cluster.mkdir(parents=True)
    assert not control_plane.is_whole(place)
    place.record.write_text("kind: KwokctlConfiguration\noptions: {}\n---\nkind: Stage\n")
    assert not control_plane.is_whole(place)
    place.record.write_text("kind: KwokctlConfiguration\ncomponents: [{name: a}, {name: b}")
    assert not control_plane.is_whole(place)


def test_the_supervisor_has_no_port_and_survives_odd_folders(tmp_path: Path) -> None:
    odd = Place(Workspace(tmp_path / "100% odd folder", "local"))
    parser = configparser.RawConfigParser()
    parser.read_string(supervision.configuration(odd))
    assert "inet_http_server" not in parser.sections()
    assert parser["program:git-server"]["autostart"] == "true"
    assert {parser[f"program:{name}"]["autostart"] for name in supervision.CONTROLLERS} == {"false"}
    assert "100%% odd folder" in parser["program:keeper"]["directory"]


def test_every_process_carries_the_mark_of_its_cluster(place: Place) -> None:
    assert place.environment()[MARK] == str(place.folder)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/git.git/info/refs?service=git-upload-pack", True),
        ("POST", "/git.git/git-upload-pack", True),
        ("GET", "/git.git/info/refs?service=git-receive-pack", False),
        ("GET", "/git.git/info/refs", False),
        ("POST", "/git.git/git-receive-pack", False),
        ("GET", "/git.git/config", False),
        ("GET", "/kubeconfig", False),
        ("GET", "/git.git/../kubeconfig", False),
    ],
)
def test_the_git_server_only_reads(method: str, target: str, expected: bool) -> None:
    assert git_server.is_allowed(method, target) is expected


def test_bodies_may_be_chunked() -> None:
    chunked = io.BytesIO(b"4\r\nwant\r\n5;x=y\r\n peas\r\n0\r\n\r\n")
    assert git_server.body(chunked, {"Transfer-Encoding": "chunked"}) == b"want peas"
    assert git_server.body(io.BytesIO(b"want peas"), {"Content-Length": "4"}) == b"want"


@pytest.mark.parametrize("head", [{"Content-Length": str(git_server.LARGEST + 1)}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_is_too_large_is_refused(head: dict[str, str]) -> None:
    stream = io.BytesIO(f"{git_server.LARGEST + 1:x}\r\n".encode())
    with pytest.raises(git_server.TooLarge):
        git_server.body(stream, head)


def test_a_cgi_answer_is_taken_apart() -> None:
    answer = b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno\r\n\r\nmore"
    assert git_server.parsed(answer) == (404, [("Content-Type", "text/plain")], b"no\r\n\r\nmore")
