"""One module for each provider of clusters."""

from __future__ import annotations

from collections.abc import Callable

from modules.cdktf import TerraformStack
from modules.clusters.cluster import Cluster
from modules.clusters.embedded import embedded
from modules.clusters.existing import existing
from modules.clusters.k3s import k3s
from modules.clusters.kind import kind
from modules.place import Place

CLUSTERS: dict[str, Callable[[TerraformStack, Place], Cluster]] = {
    "embedded": embedded,
    "existing": existing,
    "k3s": k3s,
    "kind": kind,
}

__all__ = ["CLUSTERS", "Cluster"]
