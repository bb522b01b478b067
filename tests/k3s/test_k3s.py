"""Real sshd processes, real terraform, a real API behind a stand-in for k3s: see docs/k3s.md for what that proves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blackstart.config import load
from blackstart.errors import ToolFailed
from blackstart.keys import k3s_token
from blackstart.providers.k3s import K3sProvider
from blackstart.steps.prepare import FindKey
from blackstart.tools.kubernetes import Cluster
from tests.k3s.bed import VERSION, Bed
from tests.k3s.conftest import failure, up, write

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NEWER = "v1.34.2+k3s1"


@pytest.fixture(scope="session")
def bed(empty: Bed) -> Bed:
    """The cluster, made; who changes it brings it back."""
    assert not provider(empty).exists().exists
    run = up(empty)
    events = empty.events()
    servers = [event for event in events if "server" in event]
    assert servers == [f"install server {name} {VERSION}" for name in ("s1", "s2", "s3")]
    assert {event for event in events if "agent" in event} == {
        f"install agent {name} {VERSION}" for name in ("a1", "a2")
    }
    assert not any(event.startswith("drain") for event in events)
    assert run.applied["bed-cluster"].added > 0
    return empty


@pytest.fixture(autouse=True)
def nothing_left(empty: Bed) -> Iterator[None]:
    """Each test sees its own events only."""
    empty.events()
    yield


def provider(bed: Bed) -> K3sProvider:
    return K3sProvider(bed.desk.ws, load(bed.desk.root, "bed"))


def test_a_second_run_changes_nothing(bed: Bed) -> None:
    assert up(bed).applied["bed-cluster"].nothing
    assert bed.events() == []


def test_the_kubeconfig_leads_to_the_endpoint_every_node_and_a_seeded_cni(bed: Bed) -> None:
    found = provider(bed)
    assert f"server: https://127.0.0.1:{bed.place.ports()['kube-apiserver']}" in found.kubeconfig()
    assert bed.desk.ws.kubeconfig.stat().st_mode & 0o777 == 0o600
    cni = Cluster(bed.desk.ws.kubeconfig).list_all("Secret", "kube-system", labels="owner=helm,name=cilium")
    assert [secret["metadata"]["labels"]["status"] for secret in cni] == ["deployed"]
    nodes = {node["metadata"]["name"] for node in Cluster(bed.desk.ws.kubeconfig).list_all("Node")}
    assert nodes == {"s1", "s2", "s3", "a1", "a2"}
    assert found.exists().running
    assert "host s2 k3s runs" in found.exists().proof


def test_the_token_lies_encrypted_in_the_repository_and_in_clear_on_the_hosts_alone(bed: Bed) -> None:
    run = bed.run(FindKey())
    token = k3s_token.read(run.ws, run.key)
    assert len(token) == 64
    assert provider(bed).token() == token
    hosts = [host.folder / "etc" / "token" for host in bed.hosts.values() if (host.folder / "unit").exists()]
    assert all(path.read_text() == token and path.stat().st_mode & 0o777 == 0o600 for path in hosts)
    files = [path for path in bed.desk.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    assert [path for path in files if token.encode() in path.read_bytes()] == []


def test_an_unreachable_host_is_named_while_the_others_join(bed: Bed) -> None:
    gone, other = bed.add("a3"), bed.add("a4")
    gone.stop()
    write(bed, "a3", "a4")
    try:
        told = failure(bed).tail
        assert 'terraform_data.agent["a3"]' in told or f"127.0.0.1:{gone.port}" in told, told
        assert bed.events() == [f"install agent a4 {VERSION}"]
        gone.start()
        up(bed)
        assert bed.events() == [f"install agent a3 {VERSION}"]
        assert (other.folder / "unit").read_text() == "k3s-agent"
    finally:
        write(bed)
        up(bed)
    left = bed.events()
    assert sorted(left) == sorted(
        f"{what} {name}" for name in ("a3", "a4") for what in ("drain", "delete", "uninstall")
    )
    assert left.index("drain a3") < left.index("delete a3") < left.index("uninstall a3")


def test_a_half_way_failure_names_the_host_with_its_journal_and_is_mended_by_the_next_run(bed: Bed) -> None:
    host = bed.add("a5")
    (host.folder / "fault").write_text("half")
    write(bed, "a5")
    try:
        told = failure(bed).tail
        assert "host a5: the join failed" in told
        assert "preparing server: the disk is slow" in told
        (host.folder / "fault").unlink()
        up(bed)
        assert bed.events() == [f"install agent a5 {VERSION}"]
    finally:
        write(bed)
        up(bed)


def test_replacing_a_node_touches_that_node_alone(bed: Bed) -> None:
    old = bed.hosts["a1"]
    spare = bed.add("spare")
    try:
        servers = [bed.hosts[name] for name in ("s1", "s2", "s3")]
        bed.write(servers, [{**spare.entry, "name": "a1"}, bed.hosts["a2"]])
        up(bed)
        assert bed.events() == ["drain a1", "delete a1", "uninstall a1", f"install agent a1 {VERSION}"]
        assert not (old.folder / "unit").exists()
    finally:
        write(bed)
        up(bed)


def test_a_version_goes_through_the_servers_then_the_agents_each_drained_first(bed: Bed) -> None:
    write(bed, install={"version": NEWER, "script": "tests/k3s/install-k3s.sh"})
    up(bed)
    nodes = ("s1", "s2", "s3", "a1", "a2")
    kinds = {name: "server" if name.startswith("s") else "agent" for name in nodes}
    wanted = [event for name in nodes for event in (f"drain {name}", f"install {kinds[name]} {name} {NEWER}")]
    try:
        assert bed.events() == wanted
        found = Cluster(bed.desk.ws.kubeconfig).list_all("Node")
        assert not any(node["spec"].get("unschedulable") for node in found)
    finally:
        write(bed)
        up(bed)


def test_hosts_that_do_not_answer_prove_no_loss(bed: Bed) -> None:
    bed.hosts["s3"].stop()
    try:
        found = provider(bed).exists()
        assert found.exists and "host s3 (127.0.0.1:" in found.proof
        for name in ("s1", "s2"):
            bed.hosts[name].stop()
        with pytest.raises(ToolFailed, match="does not answer"):
            provider(bed).exists()
    finally:
        for name in ("s1", "s2", "s3"):
            if bed.hosts[name].process is None:
                bed.hosts[name].start()
