"""Who makes a cluster: each provider answers two questions, and can start what was stopped (design, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import Existing
from blackstart.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Existence:
    """Whether the cluster exists and runs, what proves it; `blank` are hosts that answer and have nothing of it."""

    exists: bool
    running: bool
    proof: str
    blank: tuple[str, ...] = ()


class Provider(Protocol):
    """Raises BlackstartError from every method when its own tools or hosts do not answer."""

    def exists(self) -> Existence:
        """Does it exist, and run?"""

    def kubeconfig(self) -> str:
        """The kubeconfig, anew from the cluster's own record."""

    def start(self) -> None:
        """Start a cluster that exists and is stopped."""


def provider(ws: Workspace, config: ClusterConfig) -> Provider:
    """The provider that the cluster file names."""
    if config.provider == "embedded":
        from blackstart.providers.embedded import EmbeddedProvider

        return EmbeddedProvider(ws, config)
    if config.provider == "kind":
        from blackstart.providers.kind import KindProvider

        return KindProvider(ws, config)
    if isinstance(config.cluster, Existing):
        from blackstart.providers.existing import ExistingProvider

        return ExistingProvider(ws, config.cluster)
    if config.provider == "k3s":
        from blackstart.providers.k3s import K3sProvider

        return K3sProvider(ws, config)
    raise ConfigError(f"no provider {config.provider}", hint="blackstart schema")
