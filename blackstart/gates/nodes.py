"""When the cluster itself is Ready."""

from __future__ import annotations

from blackstart.gates import Outcome, Ready, Snapshot, Waiting, condition


def nodes(snapshot: Snapshot) -> Outcome:
    """Whether there are nodes and all of them are Ready."""
    found = {key[2]: thing for key, thing in snapshot.items() if key[0] == "Node"}
    if not found:
        return Waiting("no node yet")
    for name, thing in sorted(found.items()):
        ready = condition(thing, "Ready")
        if ready.get("status") != "True":
            return Waiting(f"node {name}: {ready.get('reason', 'not Ready')}")
    return Ready(f"{len(found)} node{'s' if len(found) > 1 else ''}")
