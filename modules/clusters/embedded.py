"""The embedded cluster: a control plane of host processes, made by `blackstart/embedded`."""

from __future__ import annotations

from blackstart.config.model import Embedded
from modules.cdktf import TerraformStack
from modules.clusters.cluster import Cluster, made_by
from modules.place import Place


def embedded(stack: TerraformStack, place: Place) -> Cluster:
    """A control plane and simulated nodes on this machine, everything on loopback."""
    shape = place.config.cluster
    nodes = shape.nodes if isinstance(shape, Embedded) else 1
    return made_by(stack, place, "blackstart.embedded", {"nodes": str(nodes)})
