"""A cluster in containers, by `kind` (https://kind.sigs.k8s.io) with Docker or Podman."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import Kind
from blackstart.config.workspace import write_private
from blackstart.errors import CommandFailed, MissingTool
from blackstart.providers import Existence
from blackstart.providers.readiness import answers, nodes_ready
from blackstart.tools.process import Command, run

PULLING = 1800
"""Seconds for `kind create`, which may have to pull the node image."""


def configuration(shape: Kind) -> str:
    """kind's own configuration (kind.x-k8s.io/v1alpha4): one node, ports on loopback."""
    ports = [
        {"hostPort": host, "containerPort": node, "listenAddress": "127.0.0.1"} for host, node in shape.ports.items()
    ]
    text = io.StringIO()
    YAML(typ="safe").dump(
        {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "networking": {"disableDefaultCNI": shape.disable_default_cni, "apiServerAddress": "127.0.0.1"},
            "nodes": [{"role": "control-plane", "image": shape.image, "extraPortMappings": ports}],
        },
        text,
    )
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class KindProvider:
    """Answers from `kind` and the container engine; the cluster is called `blackstart-<name>` there."""

    ws: Workspace
    config: ClusterConfig

    @property
    def name(self) -> str:
        """What kind calls it: a cluster of the operator's own with our name is never touched."""
        return f"blackstart-{self.ws.cluster}"

    def exists(self) -> Existence:
        """kind knows its clusters by their containers; the engine tells whether these run."""
        if self.name not in _kind("get", "clusters").splitlines():
            return Existence(False, False, f"kind has no cluster {self.name}")
        states = {node: self._state(node) for node in self._nodes()}
        running = bool(states) and set(states.values()) == {"running"}
        return Existence(True, running, ", ".join(f"container {node} is {state}" for node, state in states.items()))

    def kubeconfig(self) -> str:
        """As kind makes it from the control plane's container."""
        return _kind("get", "kubeconfig", "--name", self.name)

    def start(self) -> None:
        """Start its containers."""
        run(Command([_engine(), "start", *self._nodes()]))

    def create(self) -> None:
        """Make it, start a stopped one, make a half-made one anew. Idempotent."""
        found = self.exists()
        if found.exists and not found.running:
            self.start()
        if found.exists and not self._is_whole():
            self.delete()
            found = Existence(False, False, "")
        if not found.exists:
            self._make()
        write_private(self.ws.kubeconfig, self.kubeconfig())

    def wait(self) -> None:
        """Until the API answers and, where kind installs a CNI, all nodes are Ready.

        Without a CNI nodes turn Ready only after the seed (issue 7).
        """
        seconds = self.config.timeouts.cluster
        hint = f"{_engine()} logs {self.name}-control-plane"
        cluster = answers(self.ws.kubeconfig, seconds, hint=hint)
        if not self._shape.disable_default_cni:
            nodes_ready(cluster, seconds, enough=lambda ready, known: 0 < known == ready, hint=hint)

    def delete(self) -> None:
        """Delete it; a cluster that does not exist is no error."""
        _kind("delete", "cluster", "--name", self.name, "--kubeconfig", str(self._scratch))
        self._scratch.unlink(missing_ok=True)
        self.ws.kubeconfig.unlink(missing_ok=True)

    @property
    def _shape(self) -> Kind:
        assert isinstance(self.config.cluster, Kind)
        return self.config.cluster

    @property
    def _scratch(self) -> Path:
        return self.ws.folder / "kind-kubeconfig"

    def _make(self) -> None:
        file = self.ws.folder / "kind.yaml"
        write_private(file, configuration(self._shape))
        # kind would add a context to the operator's own kubeconfig; ours is written apart, with its mode.
        write_private(self._scratch, "")
        arguments = ("create", "cluster", "--name", self.name, "--config", str(file))
        _kind(*arguments, "--kubeconfig", str(self._scratch), timeout=PULLING)
        self._scratch.unlink(missing_ok=True)

    def _is_whole(self) -> bool:
        try:
            return bool(self.kubeconfig())
        except CommandFailed:
            return False

    def _nodes(self) -> list[str]:
        return _kind("get", "nodes", "--name", self.name).split()

    def _state(self, node: str) -> str:
        done = run(Command([_engine(), "inspect", "--format", "{{.State.Status}}", node]), check=False)
        return done.stdout.strip() or "gone"


def _kind(*arguments: str, timeout: float = 300) -> str:
    if shutil.which("kind") is None:
        raise MissingTool("kind is not on PATH", hint="install it: https://kind.sigs.k8s.io")
    return run(Command(["kind", *arguments], timeout=timeout)).stdout


def _engine() -> str:
    for engine in ("docker", "podman"):
        if shutil.which(engine):
            return engine
    raise MissingTool("kind needs docker or podman on PATH", hint="install one, or choose provider: embedded")
