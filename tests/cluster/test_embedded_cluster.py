"""The embedded cluster as its provisioners use it: controllers tied to their Deployments, clusters side by side."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from blackstart.config import Workspace
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.embedded.supervision import CONTROLLERS
from blackstart.tools.kubernetes import Cluster
from tests.desk import Desk, Done, free_port

pytestmark = pytest.mark.cluster
FLUX = "flux-system"
PATIENCE = 60.0


def embedded(desk: Desk, action: str, cluster: str = "local", **env: str) -> Done:
    argv = [sys.executable, "-m", "blackstart.embedded", action, "--cluster", cluster]
    done = subprocess.run(
        argv, cwd=desk.root, env=desk.environment(**env), capture_output=True, text=True, timeout=200, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def good(desk: Desk, action: str, cluster: str = "local", **env: str) -> Done:
    done = embedded(desk, action, cluster, **env)
    assert done.code == 0, f"{action}: {done.stderr}"
    return done


def place_of(desk: Desk, cluster: str = "local") -> Place:
    return Place(Workspace(desk.root, cluster))


def until(desk: Desk, true: Callable[[], bool], what: str) -> None:
    """That a process of another parent starts cannot be watched: look often, give up late."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        logs = [f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(place_of(desk).logs.glob("*.log"))]
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}\n" + "\n".join(logs)
        time.sleep(0.2)


def pid(desk: Desk, name: str) -> int:
    return processes.names(place_of(desk)).get(name, 0)


def arguments(desk: Desk, name: str) -> list[str]:
    try:
        return psutil.Process(pid(desk, name)).cmdline()
    except psutil.NoSuchProcess:
        return []


def until_controllers(desk: Desk, *expected: str) -> None:
    def exactly() -> bool:
        return {name for name in CONTROLLERS if pid(desk, name)} == set(expected)

    until(desk, exactly, f"exactly {', '.join(expected)} run")


def test_create_over_a_whole_cluster_changes_nothing(ready: Desk) -> None:
    uid, server = ready.api().identity().uid, pid(ready, "kube-apiserver")
    good(ready, "create")
    good(ready, "wait")
    assert (ready.api().identity().uid, pid(ready, "kube-apiserver")) == (uid, server)
    assert len(ready.api().list_all("Node")) == 1


def test_a_controller_runs_exactly_while_its_deployment_wants_it_also_after_kills(ready: Desk) -> None:
    old = pid(ready, "source-controller")
    os.kill(old, signal.SIGKILL)
    until(ready, lambda: pid(ready, "source-controller") not in (0, old), "source-controller runs again")
    running = processes.running(place_of(ready))
    next(one for one in running if "blackstart.embedded.keeper" in one.cmdline()).kill()
    deployment = ready.api().get("Deployment", "kustomize-controller", FLUX)
    assert deployment is not None
    spec = deployment["spec"]["template"]["spec"]
    flagged = [{**spec["containers"][0], "args": [*spec["containers"][0]["args"], "--requeue-dependency=7s"]}]
    try:
        ready.api().patch("Deployment", "kustomize-controller", FLUX, {"spec": {"replicas": 0}})
        until_controllers(ready, "source-controller", "helm-controller")
        changed = {"replicas": 1, "template": {"spec": {"containers": flagged}}}
        ready.api().patch("Deployment", "kustomize-controller", FLUX, {"spec": changed})
        until(ready, lambda: "--requeue-dependency=7s" in arguments(ready, "kustomize-controller"), "the flag is used")
    finally:
        restored = {"replicas": 1, "template": {"spec": {"containers": spec["containers"]}}}
        ready.api().patch("Deployment", "kustomize-controller", FLUX, {"spec": restored})
    until_controllers(ready, *CONTROLLERS)
    ready.good("up")


def test_two_clusters_side_by_side_and_delete_leaves_nothing(ready: Desk) -> None:
    other, port = place_of(ready, "other"), free_port()
    shutil.copy(ready.root / "clusters" / "local.yaml", ready.root / "clusters" / "other.yaml")
    try:
        good(ready, "create", "other", BLACKSTART_GIT_PORT=str(port))
        good(ready, "wait", "other", BLACKSTART_GIT_PORT=str(port))
        ports = [*other.ports().values(), port]
        assert not {*ports} & {*place_of(ready).ports().values()}
        assert Cluster(other.ws.kubeconfig).identity().uid != ready.api().identity().uid
    finally:
        (ready.root / "clusters" / "other.yaml").unlink()
        good(ready, "delete", "other")
    good(ready, "delete", "other")
    assert processes.running(other) == []
    assert not other.folder.exists() and not other.ws.kubeconfig.exists()
    for each in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", each)) != 0
    assert json.loads(good(ready, "status").stdout)["running"] is True


def test_a_taken_port_names_who_has_it(ready: Desk) -> None:
    shutil.copy(ready.root / "clusters" / "local.yaml", ready.root / "clusters" / "third.yaml")
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = embedded(ready, "create", "third", BLACKSTART_GIT_PORT=str(port))
    finally:
        (ready.root / "clusters" / "third.yaml").unlink()
    assert done.code == 2
    assert f"127.0.0.1:{port}" in done.stderr and f"pid {os.getpid()}" in done.stderr
    assert "BLACKSTART_GIT_PORT" in done.stderr
    assert not place_of(ready, "third").cluster.exists()
