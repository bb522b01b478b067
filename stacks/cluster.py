"""First stack: the cluster, until its API answers and its nodes are Ready."""

from __future__ import annotations

from modules.cdktf import TerraformStack
from modules.clusters import CLUSTERS
from modules.place import Place


def cluster(stack: TerraformStack, place: Place) -> None:
    """The module of the provider that the cluster file names."""
    CLUSTERS[place.config.provider](stack, place)
