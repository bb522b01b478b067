"""The kind provider against a small `kind` and `docker` of ours: they keep their clusters as files in a folder.

They answer as kind 0.30 and Docker do for the commands used here, and make no container: that the API answers is
tested with the embedded cluster, on the same code.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import CommandFailed, MissingTool
from blackstart.providers.kind import KindProvider, configuration

KIND = """#!/bin/sh
echo "kind $*" >> "$BLACKSTART_FAKE/calls"
name=$(echo "$*" | sed -n 's/.*--name \\([^ ]*\\).*/\\1/p')
case "$1 $2" in
  "get clusters") ls "$BLACKSTART_FAKE/clusters" ;;
  "get nodes") [ -d "$BLACKSTART_FAKE/clusters/$name" ] && echo "$name-control-plane" ;;
  "get kubeconfig") cat "$BLACKSTART_FAKE/clusters/$name/kubeconfig" ;;
  "create cluster")
    mkdir "$BLACKSTART_FAKE/clusters/$name" || exit 1
    echo running > "$BLACKSTART_FAKE/clusters/$name/state"
    [ -e "$BLACKSTART_FAKE/broken" ] && { echo "ERROR: failed to init node" >&2; exit 1; }
    echo "apiVersion: v1" > "$BLACKSTART_FAKE/clusters/$name/kubeconfig" ;;
  "delete cluster") rm -rf "$BLACKSTART_FAKE/clusters/$name" ;;
esac
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> "$BLACKSTART_FAKE/calls"
for last; do true; done
state="$BLACKSTART_FAKE/clusters/${last%-control-plane}/state"
case "$1" in
  inspect) cat "$state" ;;
  start) echo running > "$state" ;;
esac
"""


def config(**cluster: object) -> ClusterConfig:
    return ClusterConfig.model_validate(
        {
            "cluster": {"provider": "kind", **cluster},
            "git": {"url": "https://git.example.com/x.git", "path": "gitops"},
            "sops": {"recipients": ["age1" + "q" * 58]},
        }
    )


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fake"
    (folder / "clusters").mkdir(parents=True)
    for name, text in (("kind", KIND), ("docker", DOCKER)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("BLACKSTART_FAKE", str(folder))
    return folder


@pytest.fixture
def provider(fake: Path, tmp_path: Path) -> KindProvider:
    return KindProvider(Workspace(tmp_path, "prod"), config())


def state(fake: Path) -> Path:
    return fake / "clusters" / "blackstart-prod" / "state"


def calls(fake: Path, program: str) -> list[str]:
    return [line for line in (fake / "calls").read_text().splitlines() if line.startswith(program)]


def test_the_configuration_is_kinds_own_and_listens_on_loopback() -> None:
    shape = config(disable_default_cni=True, ports={8443: 443}).cluster
    assert shape.provider == "kind"
    written = YAML(typ="safe").load(configuration(shape))
    assert written["networking"] == {"disableDefaultCNI": True, "apiServerAddress": "127.0.0.1"}
    node = written["nodes"][0]
    assert node["image"] == shape.image
    assert node["extraPortMappings"] == [{"hostPort": 8443, "containerPort": 443, "listenAddress": "127.0.0.1"}]


def test_create_makes_it_once_and_keeps_the_kubeconfig_private(provider: KindProvider, fake: Path) -> None:
    assert not provider.exists().exists
    provider.create()
    provider.create()
    assert len([line for line in calls(fake, "kind") if "create cluster" in line]) == 1
    assert provider.exists().running
    assert stat.S_IMODE(provider.ws.kubeconfig.stat().st_mode) == 0o600
    assert not (provider.ws.folder / "kind-kubeconfig").exists()


def test_a_stopped_cluster_is_told_from_a_missing_one_and_started(provider: KindProvider, fake: Path) -> None:
    provider.create()
    state(fake).write_text("exited\n")
    stopped = provider.exists()
    assert stopped.exists and not stopped.running
    assert "blackstart-prod-control-plane is exited" in stopped.proof
    provider.start()
    assert provider.exists().running


def test_a_half_made_cluster_is_made_anew(provider: KindProvider, fake: Path) -> None:
    (fake / "broken").touch()
    with pytest.raises(CommandFailed, match="kind ended with exit code 1"):
        provider.create()
    (fake / "broken").unlink()
    provider.create()
    assert provider.kubeconfig() == "apiVersion: v1\n"


def test_a_cluster_of_the_same_name_that_is_not_ours_is_left_alone(provider: KindProvider, fake: Path) -> None:
    (fake / "clusters" / "prod").mkdir()
    assert not provider.exists().exists
    provider.create()
    provider.delete()
    assert (fake / "clusters" / "prod").is_dir()


def test_delete_is_idempotent_and_leaves_no_kubeconfig(provider: KindProvider) -> None:
    provider.create()
    provider.delete()
    provider.delete()
    assert not provider.exists().exists
    assert not provider.ws.kubeconfig.exists()


def test_without_kind_the_hint_says_where_to_get_it(provider: KindProvider, fake: Path) -> None:
    (fake / "kind").unlink()
    with pytest.raises(MissingTool) as caught:
        provider.exists()
    assert "kind" in caught.value.hint
