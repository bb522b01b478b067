"""What drained layers leave for a while: objects that finalizers hold, load balancers, volumes (issue 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from blackstart.gates import Key, Object, Outcome, Ready, Snapshot, Waiting, condition

CLAIM, VOLUME = "PersistentVolumeClaim", "PersistentVolume"
SHOWN = 5


def applied(layer: Object) -> Iterator[Key]:
    """What a Kustomization applied, by its inventory; the kind carries its group: `Widget.example.com`.

    An entry is `<namespace>_<name>_<group>_<kind>`, with `__` for the colon that names of roles have
    (fluxcd/cli-utils, pkg/object/objmetadata.go).
    """
    for entry in (layer.get("status", {}).get("inventory") or {}).get("entries") or ():
        namespace, _, rest = str(entry["id"]).partition("_")
        name, group, kind = rest.rsplit("_", 2)
        yield (f"{kind}.{group}" if group else kind, namespace, name.replace("__", ":"))


def pruned(snapshot: Snapshot, keys: Iterable[Key]) -> Outcome:
    """Whether everything of `keys` that was to be deleted is gone; what is kept on purpose is not waited for."""
    left = [(key, thing) for key in keys if (thing := snapshot.get(key)) and "deletionTimestamp" in thing["metadata"]]
    held = [f"{_shown(key)} ({_holder(thing)})" for key, thing in left]
    more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    return Waiting(f"not gone yet: {', '.join(held[:SHOWN])}{more}") if held else Ready()


def released(snapshot: Snapshot, others: Collection[str] = ()) -> Outcome:
    """Whether nothing on its way out still holds something outside the cluster; `others` are volumes that are not ours.

    A load balancer or volume that nobody deletes is somebody else's.
    """
    for (kind, namespace, name), thing in snapshot.items():
        balances = kind == "Service" and thing["spec"].get("type") == "LoadBalancer"
        if balances and "deletionTimestamp" in thing["metadata"]:
            return Waiting(f"Service/{namespace}/{name} still has its load balancer ({_holder(thing)})")
        if kind == VOLUME and name not in others and _is_leaving(thing, snapshot):
            return Waiting(f"PersistentVolume/{name} is not deleted yet")
    return Ready()


def _is_leaving(volume: Object, snapshot: Snapshot) -> bool:
    """Its policy is Delete, and its claim is gone or going."""
    claimed = volume["spec"].get("claimRef")
    if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete" or not claimed:
        return False
    claim = snapshot.get((CLAIM, claimed["namespace"], claimed["name"]))
    return claim is None or "deletionTimestamp" in claim["metadata"]


def _holder(thing: Object) -> str:
    """Who holds it, as far as it can be told."""
    inside = [condition(thing, name) for name in ("NamespaceFinalizersRemaining", "NamespaceContentRemaining")]
    told = [one["message"] for one in inside if one.get("status") == "True"]
    finalizers = thing["metadata"].get("finalizers") or []
    return told[0] if told else f"finalizers {', '.join(finalizers)}" if finalizers else "about to go"


def _shown(key: Key) -> str:
    return "/".join(filter(None, key))
