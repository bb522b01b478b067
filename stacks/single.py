"""The single layout: all three parts in one state, from nothing to Ready by one `terraform apply`."""

from __future__ import annotations

from modules.cdktf import TerraformStack
from modules.clusters import CLUSTERS
from modules.flux_install import FluxInstall
from modules.flux_sync import FluxSync, values
from modules.identity import Identity
from modules.layers_ready import LayersReady
from modules.place import Place
from modules.providers import access, use_helm, use_kubernetes
from modules.sops_age_secret import SopsAgeSecret, revision


def single(stack: TerraformStack, place: Place) -> None:
    """Cluster, key, Flux, and the gate that waits for the layers; in a remote run the command line waits instead."""
    cluster = CLUSTERS[place.config.provider](stack, place)
    way = access(place, cluster.created)
    use_kubernetes(stack, place, way)
    use_helm(stack, place, way)
    identity = Identity(stack, place, after=[cluster.ready])
    key = SopsAgeSecret(stack, place, after=[identity.guard])
    installed = FluxInstall(stack, place, after=[key.secret])
    sync = FluxSync(stack, place, after=[installed.controllers])
    if not place.config.state.runs_remotely:
        LayersReady(stack, place, after=[sync.release], deployed=str(revision(repr(values(place)))))
