"""What can be done with an embedded cluster: create, wait, start, stop, delete, status. Each is idempotent."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

import psutil

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import Embedded
from blackstart.config.ports import git_port
from blackstart.config.workspace import write_private
from blackstart.embedded import control_plane, processes, supervision
from blackstart.embedded.place import Place
from blackstart.embedded.ports import is_free
from blackstart.errors import ConfigError, GateTimeout
from blackstart.providers.readiness import answers, healthy, nodes_ready
from blackstart.tools.git import Git
from blackstart.tools.kubernetes import Cluster

RUNNING = {*control_plane.COMPONENTS}
PATIENCE = 15.0
"""Seconds: kube-controller-manager gives up when it sees no API server for 10."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the cluster exists, whether all of it runs, and what tells so."""

    exists: bool
    running: bool
    proof: str


def create(ws: Workspace, config: ClusterConfig) -> None:
    """Make the cluster, repair a half-made one, or start a stopped one: same UID, same ports, same nodes.

    Raises ConfigError when the port of the Git server is taken, GateTimeout when the API does not answer in
    `timeouts.cluster` seconds.
    """
    ws.make()
    place = Place(ws)
    place.make()
    processes.end_orphans(place, control_plane.COMPONENTS)
    require_git_port(ws)
    _publish_head(ws, config)
    control_plane.create(place)
    kubeconfig = control_plane.kubeconfig(place)
    write_private(place.kubeconfig, kubeconfig)
    write_private(ws.kubeconfig, kubeconfig)
    supervision.start(place)
    cluster = _answers(place, config.timeouts.cluster)
    _whole(place, cluster, config.timeouts.cluster)
    if len(cluster.list_all("Node")) != _nodes(config):
        control_plane.join_nodes(place, _nodes(config))


def wait(ws: Workspace, config: ClusterConfig) -> None:
    """Until the API answers and the nodes are Ready. Raises GateTimeout after `timeouts.cluster` seconds."""
    place = Place(ws)
    seconds, wanted = config.timeouts.cluster, _nodes(config)
    cluster = _answers(place, seconds)
    if len(cluster.list_all("Node")) != wanted:
        control_plane.join_nodes(place, wanted)
    nodes_ready(cluster, seconds, enough=lambda ready, _: ready >= wanted, hint=_logs(place))


def start(ws: Workspace, config: ClusterConfig) -> None:
    """Start a stopped cluster, or what of it does not run. Raises ConfigError when there is none."""
    if not status(ws).exists:
        raise ConfigError(
            f"the embedded cluster {ws.cluster} does not exist", hint=f"blackstart --cluster {ws.cluster} up"
        )
    create(ws, config)


def stop(ws: Workspace) -> None:
    """End its processes, etcd last: a copy of the folder then is a copy of the cluster."""
    processes.end(Place(ws))


def delete(ws: Workspace) -> None:
    """Leave no process, port or file of it; a cluster that does not exist is no error."""
    place = Place(ws)
    processes.end(place, keep_data=False)
    ws.kubeconfig.unlink(missing_ok=True)
    shutil.rmtree(place.folder, ignore_errors=True)


def status(ws: Workspace) -> Status:
    """What kwokctl's record and the processes say."""
    place = Place(ws)
    names = processes.names(place)
    if not control_plane.is_whole(place):
        return Status(False, False, f"no record of it at {place.record}")
    missing = sorted(RUNNING - names.keys())
    if not processes.supervisor(place):
        missing.append("supervisord")
    if missing:
        return Status(True, False, f"recorded at {place.record}; not running: {', '.join(missing)}")
    return Status(True, True, f"recorded at {place.record}; kube-apiserver runs as pid {names['kube-apiserver']}")


def _answers(place: Place, seconds: float) -> Cluster:
    """The API. A program that gave up since the one that it needs was slow to come is started again."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > PATIENCE:
        try:
            return answers(place.kubeconfig, PATIENCE, hint=_logs(place))
        except GateTimeout:
            control_plane.revive(place)
    return answers(place.kubeconfig, left, hint=_logs(place))


def _whole(place: Place, cluster: Cluster, seconds: float) -> None:
    """Until the API is healthy and nothing has given up on it: it answers from its data long before that.

    Raises GateTimeout after `seconds`.
    """
    healthy(cluster, seconds, hint=_logs(place))
    control_plane.revive(place)


def _publish_head(ws: Workspace, config: ClusterConfig) -> None:
    """The command line publishes the commit that was chosen; without it Flux gets the one that is checked out."""
    if config.git.is_worktree and not ws.git.is_dir():
        git = Git(ws.root)
        git.publish(git.head(), ws.git, config.git.branch)


def _nodes(config: ClusterConfig) -> int:
    assert isinstance(config.cluster, Embedded)
    return config.cluster.nodes


def _logs(place: Place) -> str:
    return f"see {place.cluster / 'logs'}"


def require_git_port(ws: Workspace) -> None:
    """Raises ConfigError when somebody else listens where the Git server of this cluster is to listen."""
    port = git_port(ws.cluster)
    if is_free(port):
        return
    pid = _listener(port)
    if pid in {process.pid for process in processes.running(Place(ws))}:
        return
    who = f"{psutil.Process(pid).name()} (pid {pid})" if pid and psutil.pid_exists(pid) else "another program"
    raise ConfigError(
        f"port 127.0.0.1:{port}, where the Git server of {ws.cluster} listens, is taken by {who}",
        hint="stop that program, or choose another port: BLACKSTART_GIT_PORT=PORT blackstart up",
    )


def _listener(port: int) -> int | None:
    """The process that listens on a port; None where the system does not tell."""
    try:
        sockets = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return None
    return next((one.pid for one in sockets if one.laddr and one.laddr.port == port), None)
