"""What `down` waits for once the layers are drained, and how it goes on without (issue 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blackstart.errors import GateTimeout
from blackstart.gates import Key, Object, Outcome, Snapshot, leftovers
from blackstart.steps.run import Run
from blackstart.tools.kubernetes import Cluster, UnknownKind
from blackstart.waiting import Wait, Watched, wait_for


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before anything was drained: what the layers applied, and volumes that nobody had claimed."""

    applied: tuple[Key, ...]
    volumes: tuple[str, ...]

    def wait_until_gone(self, run: Run, cluster: Cluster, step: str) -> None:
        """Everything that the layers applied; then load balancers and volumes, which end with their controllers."""
        for what, kinds, gate in (
            ("what the layers applied", {key[0] for key in self.applied}, self._pruned),
            ("load balancers and volumes", {"Service", leftovers.VOLUME, leftovers.CLAIM}, self._released),
        ):
            wait = Wait(what, tuple(map(Watched, sorted(kinds))), run.config.timeouts.flux)
            try:
                wait_for(cluster, wait, gate, lambda why: run.progress.waiting(step, why))
            except GateTimeout as error:  # no finalizer is stripped
                run.progress.warning(f"{error.message}; going on without: whoever holds it has to let it go")

    def _pruned(self, snapshot: Snapshot) -> Outcome:
        return leftovers.pruned(snapshot, self.applied)

    def _released(self, snapshot: Snapshot) -> Outcome:
        return leftovers.released(snapshot, self.volumes)


def look(cluster: Cluster, layers: Sequence[Object]) -> Before:
    """Look, before the kinds of the layers' objects go with their CRDs."""
    applied = [key for layer in layers for key in leftovers.applied(layer)]
    known = {kind for kind in {kind for kind, _, _ in applied} if _is_known(cluster, kind)}
    volumes = [one for one in cluster.list_all(leftovers.VOLUME) if one.get("status", {}).get("phase") != "Bound"]
    return Before(
        tuple(key for key in applied if key[0] in known), tuple(volume["metadata"]["name"] for volume in volumes)
    )


def _is_known(cluster: Cluster, kind: str) -> bool:
    try:
        cluster.learn(kind)
    except UnknownKind:
        return False
    return True
