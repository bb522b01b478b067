"""Flux itself was deleted: Deployments, RBAC, its Helm release; its custom resources are left."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Delete what the chart made."""
    api = bed.api()
    for kind in ("Deployment", "Service"):
        for thing in api.list_all(kind, "flux-system"):
            api.delete(kind, thing["metadata"]["name"], "flux-system")
    for binding in api.list_all("ClusterRoleBinding"):
        if (binding["metadata"].get("annotations") or {}).get("meta.helm.sh/release-name") == "flux":
            api.delete("ClusterRoleBinding", binding["metadata"]["name"])
    for release in api.list_all("Secret", "flux-system", labels="owner=helm,name=flux"):
        api.delete("Secret", release["metadata"]["name"], "flux-system")
    return Damage()


SCENARIO = Scenario("flux-deleted", fault)
