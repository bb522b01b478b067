"""A cluster in containers, made by `blackstart/providers/kind`."""

from __future__ import annotations

from modules.cdktf import TerraformStack
from modules.clusters.cluster import Cluster, made_by
from modules.place import Place


def kind(stack: TerraformStack, place: Place) -> Cluster:
    """Another image or port mapping takes an explicit `down` and `up`: kind cannot change them in place."""
    return made_by(stack, place, "blackstart.providers.kind", {"name": place.cluster})
