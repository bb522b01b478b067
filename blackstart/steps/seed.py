"""Plants the CNI in a cluster that was made without one, once; afterwards it is Flux's."""

from __future__ import annotations

from blackstart.config import ClusterConfig
from blackstart.config.model import Existing
from blackstart.errors import ConfigError
from blackstart.seed import CNI, Seed, seed
from blackstart.steps.releases import revisions
from blackstart.steps.run import Run
from blackstart.tools import helm
from blackstart.tools.kubernetes import Cluster

OWNED = "helm.toolkit.fluxcd.io/name"
NO_NETWORK = ("network plugin", "cni plugin", "NetworkPluginNotReady")


def seed_network(run: Run) -> str:
    """Install the CNI where there is none yet; what was done, blank when nothing had to be.

    Raises ConfigError when the cluster has no CNI and Git has none either, or the runs are somewhere else.
    """
    cluster = run.cluster()
    if not lacks_network(run.config, cluster) or run.exported is None:
        return ""
    if run.config.state.runs_remotely:
        raise ConfigError(
            f"the nodes of {run.ws.cluster} have no CNI, and runs on HCP Terraform cannot seed one",
            hint="install the CNI with the cluster; or once `state.cloud.execution: local` where its API is reached",
        )
    found = seed(run.exported.wiring, run.exported.folder)
    if found is None:
        raise ConfigError(
            f"the cluster is made without a CNI, and {run.config.git.path} leads to no HelmRelease {CNI}",
            hint=f"add one (gitops/flux/infrastructure/controllers/{CNI} is an example)",
        )
    return plant(run, cluster, found)


def plant(run: Run, cluster: Cluster, wanted: Seed) -> str:
    """Install a release unless it is there, or Flux has it. What a killed run left half-way is installed again."""
    if _is_flux_s(cluster, wanted):
        return f"{wanted.release} is Flux's"
    known = revisions(cluster, wanted.release, wanted.namespace)
    states = [one["metadata"]["labels"].get("status", "") for one in known]
    if "deployed" in states:
        return f"{wanted.release} is seeded"
    for one, status in zip(known, states, strict=True):
        if status.startswith("pending"):  # Helm's own lock; only our killed run can hold it, for Flux has none yet
            cluster.delete("Secret", one["metadata"]["name"], wanted.namespace)
    helm.install(wanted.release, wanted.namespace, wanted.chart, wanted.values, run.ws.kubeconfig)
    return f"{wanted.release} {wanted.chart.version} seeded".replace("  ", " ")


def lacks_network(config: ClusterConfig, cluster: Cluster) -> bool:
    """By how the provider makes it; of a cluster that somebody else made the nodes tell."""
    if not isinstance(config.cluster, Existing):
        return config.bare
    conditions = [
        condition
        for node in cluster.list_all("Node")
        for condition in node.get("status", {}).get("conditions") or ()
        if condition["type"] == "Ready"
    ]
    messages = [str(one.get("message", "")) for one in conditions if one["status"] != "True"]
    return bool(messages) and all(any(word in text for word in NO_NETWORK) for text in messages)


def _is_flux_s(cluster: Cluster, wanted: Seed) -> bool:
    labels = f"{OWNED}={CNI}"
    return any(cluster.list_all(kind, wanted.namespace, labels=labels) for kind in ("DaemonSet", "Deployment"))
