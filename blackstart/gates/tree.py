"""What is not Ready, as a tree: layer, release, workload, pod, last event (screens.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blackstart.errors import BlackstartError
from blackstart.gates import Object, Ready, Snapshot, condition
from blackstart.gates.flux import NAMESPACE, reconciled, releases_of
from blackstart.tools.kubernetes import Cluster

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def not_ready_tree(cluster: Cluster, snapshot: Snapshot, names: Sequence[str]) -> str:
    """The tree as text; what cannot be read (a cluster that is gone) is left out."""
    lines: list[str] = []
    for name in names:
        thing = snapshot.get(("Kustomization", NAMESPACE, name))
        if thing is None:
            lines.append(f"{name}  Kustomization  not there")
        elif not isinstance(reconciled(thing), Ready):
            lines.append(f"{name}  Kustomization  {_why(thing)}")
            lines += [f"  {line}" for line in _releases(cluster, snapshot, thing)]
    return "\n".join(lines)


def _releases(cluster: Cluster, snapshot: Snapshot, layer: Object) -> Iterator[str]:
    for (_, namespace, name), release in releases_of(snapshot, layer):
        if isinstance(reconciled(release), Ready):
            continue
        yield f"└─ {name}  HelmRelease  {_why(release)}"
        target = release["spec"].get("targetNamespace") or namespace
        try:
            yield from (f"   {line}" for line in _workloads(cluster, target))
        except BlackstartError:
            continue


def _workloads(cluster: Cluster, namespace: str) -> Iterator[str]:
    for kind in WORKLOADS:
        for thing in cluster.list_all(kind, namespace):
            status = thing.get("status", {})
            wanted = status.get("replicas", status.get("desiredNumberScheduled", 0))
            available = status.get("availableReplicas", status.get("numberAvailable", 0)) or 0
            if available < wanted or not wanted:
                yield f"├─ {kind}/{thing['metadata']['name']}  {available}/{wanted} available"
    for pod in cluster.list_all("Pod", namespace):
        if condition(pod, "Ready").get("status") != "True":
            yield f"├─ Pod/{pod['metadata']['name']}  {pod.get('status', {}).get('phase', '')}"
    events = sorted(cluster.list_all("Event", namespace), key=lambda event: str(event.get("lastTimestamp") or ""))
    warnings = [event for event in events if event.get("type") == "Warning"]
    if warnings:
        yield f"└─ last event: {warnings[-1].get('message', '')}"


def _why(thing: Object) -> str:
    ready = condition(thing, "Ready")
    return f"{ready.get('reason', 'no status')}: {ready.get('message', '')}".splitlines()[0]
