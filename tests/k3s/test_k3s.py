"""Real sshd processes, real terraform, a real API behind a stand-in for k3s: see docs/k3s.md for what that proves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from blackstart.errors import ToolFailed
from blackstart.keys import k3s_token
from blackstart.steps.prepare import FindKey
from blackstart.tools.kubernetes import Cluster
from tests.desk import PROJECT
from tests.k3s.bed import VERSION, Bed
from tests.k3s.conftest import failure, provider, up, write
from tests.k3s.host import Host

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NEWER = "v1.34.2+k3s1"
Events = Callable[[], list[str]]


@pytest.fixture
def whole(bed: Bed) -> Iterator[Bed]:
    """The cluster, which has its usual hosts again afterwards."""
    yield bed
    for host in bed.hosts.values():
        host.stop()
        host.start()
    write(bed)
    up(bed)


def test_a_second_run_changes_nothing(bed: Bed, events: Events) -> None:
    assert up(bed).applied["bed-cluster"].nothing
    assert events() == []


def test_the_kubeconfig_leads_to_the_endpoint_every_node_and_a_seeded_cni(bed: Bed) -> None:
    found = provider(bed)
    assert f"server: https://127.0.0.1:{bed.place.ports()['kube-apiserver']}" in found.kubeconfig()
    assert bed.desk.ws.kubeconfig.stat().st_mode & 0o777 == 0o600
    cni = Cluster(bed.desk.ws.kubeconfig).list_all("Secret", "kube-system", labels="owner=helm,name=cilium")
    assert [secret["metadata"]["labels"]["status"] for secret in cni] == ["deployed"]
    nodes = {node["metadata"]["name"] for node in Cluster(bed.desk.ws.kubeconfig).list_all("Node")}
    assert nodes == {"s1", "s2", "s3", "a1", "a2"}
    said = found.exists()
    assert (said.running, said.blank) == (True, ())
    assert "host s2 k3s runs" in said.proof


def test_the_token_lies_encrypted_in_the_repository_and_in_clear_on_the_hosts_alone(bed: Bed) -> None:
    run = bed.run(FindKey())
    token = k3s_token.read(run.ws, run.key)
    assert len(token) == 64
    assert provider(bed).token() == token
    hosts = [host.folder / "etc" / "token" for host in bed.hosts.values() if host.runs]
    assert all(path.read_text() == token and path.stat().st_mode & 0o777 == 0o600 for path in hosts)
    files = [path for path in bed.desk.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    assert [path for path in files if token.encode() in path.read_bytes()] == []


def test_hosts_in_trouble_are_named_while_the_others_join_and_the_next_run_mends_them(
    whole: Bed, events: Events
) -> None:
    off, mute, half, dying, good = more = whole.more(5)
    off.stop()
    half.fail("half")
    dying.fail("dies")
    write(whole, more)
    with mute.silent():
        told = failure(whole).tail
    for host in (off, mute):
        assert f'terraform_data.agent["{host.name}"]' in told, told
    assert f"host {half.name}: the join failed" in told
    assert "preparing server: the disk is slow" in told  # the tail of its journal
    assert sorted(events()) == sorted(f"install agent {host.name} {whole.version}" for host in (good, dying))

    for host in (off, dying):
        host.stop()
        host.start()
    half.mend()
    dying.mend()
    up(whole)
    mended = sorted(event for event in events() if event.startswith("install"))
    assert mended == sorted(f"install agent {host.name} {whole.version}" for host in (off, mute, half))

    write(whole)
    up(whole)
    left = events()
    assert sorted(left) == sorted(f"{what} {host.name}" for host in more for what in ("drain", "delete", "uninstall"))
    assert [event.split()[0] for event in left if good.name in event.split()] == ["drain", "delete", "uninstall"]


def test_a_run_that_was_killed_is_finished_by_the_next_one_with_the_keys_of_an_agent(
    whole: Bed, events: Events, ssh_agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host,) = whole.more(1)
    host.fail("hangs")
    write(whole, [host])
    argv = [sys.executable, "-m", "tests.k3s.up", str(whole.desk.root)]
    run = subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(host.folder / "hanging", run)
    killed = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
    for process in killed:
        process.send_signal(signal.SIGKILL)
    run.communicate()
    psutil.wait_procs(killed, timeout=20)
    host.mend()

    monkeypatch.setenv("SSH_AUTH_SOCK", str(ssh_agent))
    write(whole, [host], ssh=whole.ssh(key=""))
    up(whole)
    assert [event for event in events() if "install" in event].count(f"install agent {host.name} {whole.version}") == 1
    assert host.runs == "k3s-agent"
    assert provider(whole).exists().running


def until(file: Path, run: subprocess.Popen[bytes]) -> None:
    """Until a stand-in has written a file."""
    deadline = time.monotonic() + 120
    while not file.exists():
        assert run.poll() is None, run.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def ssh_agent(bed: Bed, tmp_path: Path) -> Iterator[Path]:
    """The socket of an agent that holds the operator's key."""
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        until(socket, agent)
        add = ["ssh-add", "-q", str(bed.folder / "id")]
        subprocess.run(add, check=True, timeout=30, env={**os.environ, "SSH_AUTH_SOCK": str(socket)})
        yield socket
    finally:
        agent.kill()
        agent.wait()


def test_replacing_a_node_touches_that_node_alone(bed: Bed, events: Events) -> None:
    old, spare = bed.hosts["a1"], bed.more(1)[0]
    bed.hosts[spare.name], bed.hosts["a1"] = old, spare
    spare.node, old.node = "a1", spare.name
    write(bed)
    up(bed)
    assert events() == ["drain a1", "delete a1", "uninstall a1", f"install agent a1 {bed.version}"]
    assert (old.runs, spare.runs) == ("", "k3s-agent")


def test_a_version_goes_through_the_servers_then_the_agents_each_drained_first(bed: Bed, events: Events) -> None:
    bed.version = NEWER if bed.version == VERSION else VERSION
    write(bed)
    guarded = bed.control / "undrainable"
    guarded.write_text("s2")
    try:
        told = failure(bed).tail
    finally:
        guarded.unlink()
    assert "node s2 cannot be drained" in told
    assert events() == ["drain s1", f"install server s1 {bed.version}"]
    up(bed)
    assert events() == [event for name in ("s2", "s3", "a1", "a2") for event in upgraded(bed, name)]
    found = Cluster(bed.desk.ws.kubeconfig).list_all("Node")
    assert not any(node["spec"].get("unschedulable") for node in found)


def upgraded(bed: Bed, name: str) -> tuple[str, str]:
    kind = "server" if name.startswith("s") else "agent"
    return f"drain {name}", f"install {kind} {name} {bed.version}"


def test_hosts_that_do_not_answer_prove_no_loss(bed: Bed) -> None:
    servers: list[Host] = [bed.hosts[name] for name in ("s1", "s2", "s3")]
    servers[2].stop()
    try:
        found = provider(bed).exists()
        assert found.exists and "host s3 (127.0.0.1:" in found.proof
        for host in servers:
            host.stop()
        with pytest.raises(ToolFailed, match="does not answer"):
            provider(bed).exists()
    finally:
        for host in servers:
            host.start()
