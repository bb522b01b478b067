"""The embedded cluster's answers."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.config import ClusterConfig, Workspace
from blackstart.embedded import control_plane, lifecycle
from blackstart.embedded.place import Place
from blackstart.providers import Existence


@dataclass(frozen=True, slots=True)
class EmbeddedProvider:
    """Answers from kwokctl's record and the processes of this machine."""

    ws: Workspace
    config: ClusterConfig

    def exists(self) -> Existence:
        """Its record tells, and its processes."""
        status = lifecycle.status(self.ws)
        return Existence(status.exists, status.running, status.proof)

    def kubeconfig(self) -> str:
        """Made of its port and its CA. Raises ConfigError when there is no cluster."""
        return control_plane.kubeconfig(Place(self.ws))

    def start(self) -> None:
        """Start it, with the same ports and the same UID."""
        lifecycle.start(self.ws, self.config)
