"""Where a stack stands: what every module is given."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from blackstart.config import ClusterConfig, Workspace

NAMESPACE = "flux-system"
LABELS = {"app.kubernetes.io/managed-by": "blackstart"}


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster's configuration, and the folder in which terraform will run."""

    workspace: Workspace
    config: ClusterConfig
    folder: Path

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.workspace.cluster

    @property
    def builtin(self) -> bool:
        """Whether the legacy pair of providers is used, which knows no write-only attribute."""
        return self.config.providers == "builtin"

    def relative(self, path: Path) -> str:
        """`path` as seen from the stack's folder: the bytes must not depend on the checkout."""
        return os.path.relpath(path, self.folder)
