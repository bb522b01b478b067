"""The embedded cluster's answers."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.config import ClusterConfig, Workspace
from blackstart.embedded import lifecycle
from blackstart.embedded.place import Place
from blackstart.errors import ConfigError
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
        """The copy that the cluster keeps. Raises ConfigError when there is no cluster."""
        kept = Place(self.ws).kubeconfig
        if not kept.is_file():
            raise ConfigError(f"the cluster {self.ws.cluster} does not exist", hint="blackstart up")
        return kept.read_text()

    def start(self) -> None:
        """Start it, with the same ports and the same UID."""
        lifecycle.start(self.ws, self.config)
