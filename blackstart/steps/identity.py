"""Which cluster this is, as a state records it and as `.blackstart/<cluster>/identity.json` keeps a copy of it."""

from __future__ import annotations

import json

from blackstart.config import Workspace
from blackstart.config.workspace import write_private
from blackstart.errors import Unsafe
from blackstart.gates import Outcome, Ready, Snapshot, Waiting
from blackstart.steps.run import Run
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import State
from blackstart.waiting import Wait, Watched, wait_for

Mark = tuple[str, str]
"""kube-system's UID, sha256 of the CA"""


def remember(run: Run, cluster: Cluster) -> None:
    """Keep the identity of the cluster that answers. Raises Unsafe when another one is kept."""
    wait = Wait("identity", (Watched("ConfigMap", "kube-system"),), run.config.timeouts.cluster)
    wait_for(cluster, wait, _published)
    found = cluster.identity()
    mark = (found.uid, found.ca_sha256)
    kept = kept_mark(run.ws)
    if kept not in (None, mark):
        raise Unsafe(
            f"{found.endpoint} is not the cluster that was recorded: kube-system's UID or the CA differs",
            hint=f"if your cluster was lost or made anew: blackstart --cluster {run.ws.cluster} recover",
        )
    if kept is None:
        write_private(run.ws.identity, json.dumps({"uid": found.uid, "ca_sha256": found.ca_sha256}))


def _published(snapshot: Snapshot) -> Outcome:
    """A new cluster publishes its CA a moment after its API answers."""
    there = ("ConfigMap", "kube-system", "kube-root-ca.crt") in snapshot
    return Ready() if there else Waiting("kube-root-ca.crt is not published yet")


def kept_mark(ws: Workspace) -> Mark | None:
    """The copy, or None when there is none (or it cannot be read)."""
    try:
        kept = json.loads(ws.identity.read_text())
        return str(kept["uid"]), str(kept["ca_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recorded_mark(state: State) -> Mark | None:
    """The identity that a stack's state holds (modules/identity.py), or None."""
    for resource in state.resources:
        if (resource.get("type"), resource.get("name")) == ("terraform_data", "identity"):
            for instance in resource.get("instances") or ():
                return _mark(instance)
    return None


def _mark(instance: dict[str, object]) -> Mark | None:
    """`input` is of a dynamic type, kept with its type beside it: {"value": {...}, "type": [...]}."""
    attributes = instance.get("attributes")
    held = attributes.get("input") if isinstance(attributes, dict) else None
    value = held.get("value", held) if isinstance(held, dict) else None
    if not isinstance(value, dict) or "uid" not in value:
        return None
    return str(value["uid"]), str(value["ca_sha256"])
