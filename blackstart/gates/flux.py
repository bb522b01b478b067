"""When Flux's objects are Ready (design, section 5; fluxcd/pkg/apis/meta conditions)."""

from __future__ import annotations

from blackstart.gates import Broken, Key, Object, Outcome, Ready, Snapshot, Waiting, condition

NAMESPACE = "flux-system"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")


def reconciled(thing: Object) -> Outcome:
    """Whether Flux is done with an object: current generation, Ready, neither suspended nor stalled.

    `Ready=False` is waiting, since a bootstrap passes through DependencyNotReady, ReconciliationFailed and
    HealthCheckFailed; only Stalled or suspended is broken (issue 3, item 9).
    """
    if thing.get("spec", {}).get("suspend"):
        return Broken("suspended")
    stalled = condition(thing, "Stalled")
    if stalled.get("status") == "True":
        return Broken(f"Stalled: {stalled.get('reason', '')}: {stalled.get('message', '')}")
    ready = condition(thing, "Ready")
    if not ready:
        return Waiting("not looked at yet")
    current = thing["metadata"].get("generation", 0) == thing.get("status", {}).get("observedGeneration", -1)
    if ready.get("status") == "True" and current:
        return Ready(ready.get("message", ""))
    progress = condition(thing, "Reconciling")
    if not current and not progress:
        return Waiting("an older generation is being looked at")
    told = progress if progress and ready.get("status") != "False" else ready
    return Waiting(f"{told.get('reason', '')}: {told.get('message', '')}")


def revision_of(thing: Object) -> str:
    """The commit that was applied (Kustomization) or fetched (GitRepository); empty before the first."""
    status = thing.get("status", {})
    revision = status.get("lastAppliedRevision") or status.get("artifact", {}).get("revision", "")
    return str(revision).rpartition(":")[2]


def at_commit(thing: Object, commit: str) -> Outcome:
    """Whether an object is reconciled, and at this very commit."""
    outcome = reconciled(thing)
    revision = revision_of(thing)
    if isinstance(outcome, Ready) and revision != commit:
        return Waiting(f"still at {revision[:7] or 'no commit'}")
    return outcome


def source(snapshot: Snapshot, commit: str, name: str = "flux-system") -> Outcome:
    """Whether Flux has fetched the commit."""
    thing = snapshot.get(("GitRepository", NAMESPACE, name))
    return Waiting("no GitRepository yet") if thing is None else at_commit(thing, commit)


def layer(snapshot: Snapshot, name: str, commit: str, namespace: str = NAMESPACE) -> Outcome:
    """Whether a layer's Kustomization is Ready at the commit; while it waits, the deepest reason known."""
    thing = snapshot.get(("Kustomization", namespace, name))
    if thing is None:
        return Waiting("no Kustomization yet")
    outcome = at_commit(thing, commit)
    if not isinstance(outcome, Waiting):
        return outcome
    for _, release in releases_of(snapshot, thing):
        found = reconciled(release)
        if isinstance(found, Broken) and "suspended" not in found.reason:
            return Waiting(f"HelmRelease/{release['metadata']['name']}: {found.reason}")
        if isinstance(found, Waiting):
            return Waiting(f"HelmRelease/{release['metadata']['name']}: {found.reason}")
    return outcome


def releases_of(snapshot: Snapshot, kustomization: Object) -> list[tuple[Key, Object]]:
    """The HelmReleases that a Kustomization applied (by the labels kustomize-controller puts on them)."""
    name = kustomization["metadata"]["name"]
    namespace = kustomization["metadata"].get("namespace", "")
    return [
        (key, thing)
        for key, thing in sorted(snapshot.items())
        if key[0] == "HelmRelease"
        and thing["metadata"].get("labels", {}).get("kustomize.toolkit.fluxcd.io/name") == name
        and thing["metadata"]["labels"].get("kustomize.toolkit.fluxcd.io/namespace") == namespace
    ]


def controllers(snapshot: Snapshot) -> Outcome:
    """Whether Flux's controllers are there and available."""
    for name in CONTROLLERS:
        thing = snapshot.get(("Deployment", NAMESPACE, name))
        if thing is None:
            return Waiting(f"no Deployment {name} yet")
        if not thing.get("spec", {}).get("replicas"):
            return Broken(f"Deployment/{name} is scaled to 0")
        if condition(thing, "Available").get("status") != "True":
            return Waiting(f"Deployment/{name} is not available yet")
    return Ready(f"{len(CONTROLLERS)} controllers")
