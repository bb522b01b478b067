"""The control plane: kwokctl's binary runtime, everything on 127.0.0.1, and the kubeconfig made from its record."""

from __future__ import annotations

import base64
import io
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart import toolchain
from blackstart.config.workspace import write_private
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.embedded.ports import Ports
from blackstart.errors import ConfigError
from blackstart.tools.process import Command, Completed, run

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
ALONE = ("--node-lease-duration-seconds=0",)
"""Nobody competes for a node either: kwok started anew would leave its pods alone until the lease of the one before it,
which was killed, has run out (200 s). The configuration file cannot say 0, which it takes for the default."""
GIVES_UP = (8.0, 12.0)
"""Seconds since kube-controller-manager started: between them it may be about to end."""
OPTIONS = {
    "etcd": "etcdBinary",
    "kube-apiserver": "kubeApiserverBinary",
    "kube-controller-manager": "kubeControllerManagerBinary",
    "kube-scheduler": "kubeSchedulerBinary",
    "kwok": "kwokControllerBinary",
}


def configuration(ports: Ports, binaries: Mapping[str, str]) -> str:
    """The KwokctlConfiguration (kwok.x-k8s.io/v1alpha1): `binaries` are paths by the names of `COMPONENTS`."""
    # Alone on its host, nobody competes for a lease; and one left by a killed leader costs its successor 15 s.
    alone = [{"key": "leader-elect", "value": "false"}]
    document = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "kubeApiserverPort": ports["kube-apiserver"],
            "etcdPort": ports["etcd"],
            "etcdPeerPort": ports["etcd-peer"],
            "kubeControllerManagerPort": ports["kube-controller-manager"],
            "kubeSchedulerPort": ports["kube-scheduler"],
            "kwokControllerPort": ports["kwok"],
            **{OPTIONS[name]: path for name, path in binaries.items()},
            # kwokctl asks kubectl whether the API answers, and would download one; we ask the API ourselves.
            "kubectlBinary": shutil.which("true") or "/bin/true",
            "disableQPSLimits": True,
            "heartbeatFactor": 5,
        },
        "componentsPatches": [
            {"name": "kube-controller-manager", "extraArgs": alone},
            {"name": "kube-scheduler", "extraArgs": alone},
        ],
    }
    text = io.StringIO()
    YAML(typ="safe").dump(document, text)
    return text.getvalue()


def create(place: Place) -> None:
    """Make the control plane, repair a half-made one, or start a stopped one with the same data. Idempotent."""
    binaries = {name: str(toolchain.path(name)) for name in COMPONENTS}
    if not is_whole(place):
        processes.end(place)
        shutil.rmtree(place.cluster, ignore_errors=True)
    _forget_stale_pids(place)
    write_private(place.kwok / "kwok.yaml", configuration(place.ports(), binaries))
    if is_whole(place):
        _use(place.record, binaries)
        _kwokctl(place, "start", "cluster")
    else:
        _kwokctl(place, "create", "cluster", "--kubeconfig=", "--wait=0s", *ALONE)


def revive(place: Place) -> None:
    """Start those programs again that have ended: kwokctl starts each once and looks no further.

    kube-controller-manager ends when the API is not healthy 10 s after its own start (WaitForAPIServer in
    cmd/kube-controller-manager/app): one that stands at that moment is watched past it.
    """
    manager = processes.named(place, "kube-controller-manager")
    age = time.time() - manager.create_time() if manager else 0.0
    if manager and GIVES_UP[0] < age < GIVES_UP[1]:
        psutil.wait_procs([manager], timeout=GIVES_UP[1] - age)
    if set(COMPONENTS) - processes.names(place).keys():
        _forget_stale_pids(place)
        _kwokctl(place, "start", "cluster")


def join_nodes(place: Place, count: int) -> None:
    """Add simulated nodes until there are `count`; needs an API that answers."""
    _kwokctl(place, "scale", "node", f"--replicas={count}")


def is_whole(place: Place) -> bool:
    """Whether kwokctl came to the end of making it: its record then names all components."""
    try:
        components = _components(place.record)
    except (OSError, YAMLError):
        return False
    return len(components) == len(COMPONENTS)


def kubeconfig(place: Place) -> str:
    """The kubeconfig, from the cluster's own record: its port, its CA, its administrator's certificate.

    Raises ConfigError when there is no such cluster.
    """
    name = f"blackstart-{place.ws.cluster}"
    try:
        ca, certificate, key = (_base64(place.cluster / "pki" / file) for file in ("ca.crt", "admin.crt", "admin.key"))
    except FileNotFoundError:
        raise ConfigError(
            f"the embedded cluster {place.ws.cluster} does not exist",
            hint=f"blackstart --cluster {place.ws.cluster} up",
        ) from None
    server = f"https://127.0.0.1:{place.ports()['kube-apiserver']}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": name, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    text = io.StringIO()
    YAML(typ="safe").dump(document, text)
    return text.getvalue()


def _kwokctl(place: Place, *arguments: str) -> Completed:
    argv = [str(toolchain.path("kwokctl")), "--name", place.ws.cluster, *arguments]
    return run(Command(argv, env=place.environment(), timeout=180, log=place.logs / "kwokctl.log"))


def _components(record: Path) -> list[dict[str, Any]]:
    for document in YAML(typ="safe").load_all(record.read_text()):
        if isinstance(document, dict) and document.get("kind") == "KwokctlConfiguration":
            return document.get("components") or []
    return []


def _use(record: Path, binaries: Mapping[str, str]) -> None:
    """kwokctl recorded the paths of its programs; the toolchain may have moved them since."""
    text = record.read_text()
    for component in _components(record):
        old = component["binary"]
        name = next((name for name in COMPONENTS if Path(old).name == Path(binaries[name]).name), None)
        if name and old != binaries[name]:
            text = text.replace(f"binary: {old}\n", f"binary: {binaries[name]}\n")
    if text != record.read_text():
        write_private(record, text)


def _forget_stale_pids(place: Place) -> None:
    """kwokctl believes its pid files even when, after a reboot, the pid is somebody else's."""
    alive = {process.pid for process in processes.running(place)}
    for file in (place.cluster / "pids").glob("*.pid"):
        if file.read_text().strip() not in {str(pid) for pid in alive}:
            file.unlink()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
