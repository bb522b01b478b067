"""The layers: watched to Ready in `dependsOn` order; whoever waited is told the moment it may go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from blackstart.errors import GateBroken, GateTimeout
from blackstart.gates import Broken, Key, Object, Outcome, Ready, Snapshot, Waiting, condition
from blackstart.gates.flux import NAMESPACE, at_commit, layer, reconciled, releases_of, revision_of, source
from blackstart.gates.tree import not_ready_tree
from blackstart.layers import Layer
from blackstart.progress import StepNote
from blackstart.steps.run import Run
from blackstart.tools.kubernetes import Cluster
from blackstart.waiting import Watch, Watched

REQUESTED = "reconcile.fluxcd.io/requestedAt"
ROOT: Key = ("Kustomization", NAMESPACE, "flux-system")
SOURCE: Key = ("GitRepository", NAMESPACE, "flux-system")
WATCHED = (Watched("GitRepository", NAMESPACE), Watched("Kustomization"), Watched("HelmRelease"))


@dataclass(frozen=True, slots=True)
class WaitLayers:
    """Every layer Ready at the commit; `until` names the layers that are enough (blank: all)."""

    until: tuple[str, ...] = ()
    name: str = "layers"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises GateBroken for a layer that waiting cannot mend, GateTimeout with the tree of what is not Ready."""
        waited = [one for one in run.layers if not self.until or one.name in self.until]
        Follow(run, run.cluster(), waited).to_ready()
        note.text = f"{len(waited)} layers"


@dataclass(slots=True)
class Follow:
    """Follows the layers of one run; a layer once seen Ready stays so (latched)."""

    run: Run
    cluster: Cluster
    waited: list[Layer]
    latched: set[str] = field(default_factory=set)
    told: dict[Key, str] = field(default_factory=dict)
    asked: dict[Key, str] = field(default_factory=dict)

    def to_ready(self) -> None:
        """Watch until every layer is Ready at the commit."""
        timeout = self.run.config.timeouts.layers
        watch = Watch(self.cluster, WATCHED)
        snapshot: Snapshot = {}
        try:
            for snapshot in watch.snapshots(time.monotonic() + timeout):
                if self._looked_at(snapshot):
                    return
        finally:
            watch.stop()
        raise GateTimeout(
            f"layers not Ready after {timeout}s",
            tree=not_ready_tree(self.cluster, snapshot, [one.name for one in self.waited]),
            hint="mend it in Git, push, then: blackstart up (finished layers are kept)",
        )

    def _looked_at(self, snapshot: Snapshot) -> bool:
        commit = self.run.commit.sha
        fetched = source(snapshot, commit)
        if isinstance(fetched, Broken):
            raise GateBroken(f"GitRepository/flux-system: {fetched.reason}", hint="blackstart status")
        self._hurry_source(snapshot, fetched)
        self._follow_branch(snapshot)
        self._hurry_root(snapshot, fetched)
        for one in self.waited:
            if one.name not in self.latched:
                self._look_at(snapshot, one, self._alive(snapshot, one, layer(snapshot, one.name, commit)))
            self._hurry_health(snapshot, one)
        self._hurry_dependants(snapshot)
        return all(one.name in self.latched for one in self.waited)

    def _alive(self, snapshot: Snapshot, one: Layer, outcome: Outcome) -> Outcome:
        """Ready may be what controllers said that are no more: where Flux was changed, it must answer a request."""
        applied = self.run.applied.get(self.run.manifest.stack("flux").id) if self.run.found_manifest else None
        key: Key = ("Kustomization", one.namespace, one.name)
        if not isinstance(outcome, Ready) or applied is None or applied.nothing:
            return outcome
        if key not in self.asked:
            self._annotate(key, "Flux was changed")
        return outcome if self._handled(snapshot, key) else Waiting("Flux was changed: it is asked to look again")

    def _handled(self, snapshot: Snapshot, key: Key) -> bool:
        return bool(snapshot[key].get("status", {}).get("lastHandledReconcileAt") == self.asked[key])

    def _follow_branch(self, snapshot: Snapshot) -> None:
        """When the branch moved on meanwhile, a descendant becomes the run's commit (design, section 5)."""
        here, pinned = snapshot.get(SOURCE), self.run.commit.sha
        found = revision_of(here) if here else ""
        if found in ("", pinned) or SOURCE not in self.asked or not self._handled(snapshot, SOURCE):
            return
        git = self.run.git
        if not git.knows(found) or git.is_ancestor(found, pinned):
            return
        if not git.is_ancestor(pinned, found):
            raise GateBroken(
                f"Flux is at {found[:7]}, which does not descend from {pinned[:7]}",
                hint="bring the branch back, or deploy what it has: blackstart up",
            )
        self.run.found_commit = git.resolve(found)
        self.latched.clear()
        self.run.progress.warning(f"the branch moved on from {pinned[:7]} to {found[:7]}: waiting for that")

    def _look_at(self, snapshot: Snapshot, one: Layer, outcome: Outcome) -> None:
        step = f"layers/{one.name}"
        self._tell_releases(snapshot, one)
        match outcome:
            case Ready():
                self.latched.add(one.name)
                releases = releases_of(snapshot, snapshot[("Kustomization", NAMESPACE, one.name)])
                self.run.progress.ready(step, f"{len(releases)} releases" if releases else "")
            case Broken(reason):
                if reason == "suspended" and one.name in self.run.suspended:
                    self.run.progress.waiting(step, "held back until the data is restored")
                else:
                    raise GateBroken(
                        f"{one.name}: {reason}", hint=f"flux resume kustomization {one.name}, or mend it in Git"
                    )
            case Waiting(reason):
                waits_for = [name for name in one.depends_on if name not in self.latched]
                self.run.progress.waiting(step, f"after {', '.join(waits_for)}" if waits_for else reason)

    def _tell_releases(self, snapshot: Snapshot, one: Layer) -> None:
        owner = snapshot.get(("Kustomization", NAMESPACE, one.name))
        for (_, _, name), release in releases_of(snapshot, owner) if owner else ():
            step = f"layers/{one.name}/HelmRelease/{name}"
            match reconciled(release):
                case Ready():
                    if step not in self.run.released:
                        self.run.released.add(step)
                        self.run.progress.ready(step)
                case Waiting(reason) | Broken(reason):
                    self.run.released.discard(step)
                    self.run.progress.waiting(step, reason)

    def _hurry_source(self, snapshot: Snapshot, fetched: Outcome) -> None:
        if isinstance(fetched, Waiting) and SOURCE in snapshot:
            self._annotate(SOURCE, self.run.commit.sha)

    def _hurry_root(self, snapshot: Snapshot, fetched: Outcome) -> None:
        root = snapshot.get(ROOT)
        if root is not None and isinstance(fetched, Ready) and not isinstance(self._at_commit(root), Ready):
            self._annotate(ROOT, self.run.commit.sha)

    def _hurry_dependants(self, snapshot: Snapshot) -> None:
        """Flux looks at a dependency again every 30 s; an annotation makes it look now (design, section 5)."""
        for key, thing in snapshot.items():
            if key[0] not in ("Kustomization", "HelmRelease") or not _waits_for_dependency(thing):
                continue
            if all(self._is_ready(snapshot, key, needed) for needed in thing["spec"]["dependsOn"]):
                self._annotate(key, _state_of_dependencies(snapshot, key, thing))

    def _hurry_health(self, snapshot: Snapshot, one: Layer) -> None:
        """A health check polls every 5 s: a request starts it anew once the releases are Ready (decision 0020)."""
        key: Key = ("Kustomization", NAMESPACE, one.name)
        thing = snapshot.get(key)
        if one.name in self.latched or thing is None:
            return
        checking = condition(thing, "Reconciling").get("message", "").startswith("Running health checks")
        releases = [release for _, release in releases_of(snapshot, thing)]
        if checking and releases and all(isinstance(reconciled(release), Ready) for release in releases):
            self._annotate(key, f"healthy at {self.run.commit.sha}")

    def _is_ready(self, snapshot: Snapshot, key: Key, needed: Mapping[str, str]) -> bool:
        thing = snapshot.get((key[0], needed.get("namespace") or key[1], needed["name"]))
        if thing is None:
            return False
        outcome = self._at_commit(thing) if key[0] == "Kustomization" else reconciled(thing)
        return isinstance(outcome, Ready)

    def _at_commit(self, thing: Object) -> Outcome:
        return at_commit(thing, self.run.commit.sha)

    def _annotate(self, key: Key, reason: str) -> None:
        """Ask Flux to look at an object now, once for each reason."""
        if self.told.get(key) == reason:
            return
        self.told[key] = reason
        self.asked[key] = moment = datetime.now(UTC).isoformat()
        self.cluster.patch(key[0], key[2], key[1], {"metadata": {"annotations": {REQUESTED: moment}}})


def _waits_for_dependency(thing: Object) -> bool:
    if not thing.get("spec", {}).get("dependsOn") or thing["spec"].get("suspend"):
        return False
    return condition(thing, "Ready").get("reason") == "DependencyNotReady"


def _state_of_dependencies(snapshot: Snapshot, key: Key, thing: Object) -> str:
    found = []
    for needed in thing["spec"]["dependsOn"]:
        other = snapshot.get((key[0], needed.get("namespace") or key[1], needed["name"]), {})
        found.append(str(other.get("status", {}).get("lastAppliedRevision") or other.get("status", {}).get("history")))
    handled = thing.get("status", {}).get("lastHandledReconcileAt", "")  # it may have looked into a stale cache
    return "|".join([condition(thing, "Ready").get("lastTransitionTime", ""), handled, *found])
