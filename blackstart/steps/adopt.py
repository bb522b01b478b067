"""Adoption: what exists in the cluster but not in the state, because a run was killed or a state was lost.

Design, section 6: namespaces and Helm releases are imported; the Secret is never imported (its content would enter
the state) but deleted and created again; only what carries our label or release name is touched.
"""

from __future__ import annotations

from blackstart.errors import GateBroken, GateTimeout, Unsafe
from blackstart.gates import Outcome, Ready, Snapshot, Waiting
from blackstart.steps.releases import missing, revisions
from blackstart.steps.run import Run
from blackstart.steps.states import read_state
from blackstart.synth import Resource, Stack
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import Terraform
from blackstart.waiting import Wait, Watched, wait_for

NAMESPACES = ("kubernetes_namespace", "kubernetes_namespace_v1")
ENDING, HELD = 60.0, 20.0
"""Seconds: the controller that says what holds a namespace may have been started just now."""
SILENT = "no reason given"
OURS = ("app.kubernetes.io/managed-by", "blackstart")


def adopt(run: Run, stack: Stack, terraform: Terraform) -> None:
    """Bring what exists into the state, as far as it is ours."""
    cluster = run.cluster()
    expected = stack.resources()
    if any(resource.kind == "helm_release" for resource in expected):
        unlock_releases(run, cluster)
    state = read_state(run, stack, terraform)
    known = set(state.addresses()) if state else set()
    for resource in expected:
        if resource.kind in NAMESPACES:
            require_not_terminating(cluster, resource.name)
        if resource.address not in known:
            _adopt_one(run, cluster, terraform, resource)
        elif resource.kind == "helm_release":
            _mend(run, cluster, terraform, resource)


def _adopt_one(run: Run, cluster: Cluster, terraform: Terraform, resource: Resource) -> None:
    if resource.kind in NAMESPACES:
        if cluster.get("Namespace", resource.name) is not None:
            terraform.adopt(resource.address, resource.name)
            run.progress.note(f"adopted Namespace/{resource.name}")
    elif resource.kind in ("kubernetes_secret", "kubernetes_secret_v1"):
        _make_room(run, cluster, resource)
    elif resource.kind == "helm_release" and revisions(cluster, resource.name, resource.namespace):
        terraform.adopt(resource.address, f"{resource.namespace}/{resource.name}")
        run.progress.note(f"adopted Helm release {resource.namespace}/{resource.name}")


def _mend(run: Run, cluster: Cluster, terraform: Terraform, release: Resource) -> None:
    """A release whose objects were deleted is taken into the state anew: that makes terraform upgrade it.

    An upgrade puts back what is missing and leaves the rest alone. Replacing would delete the rest, and with the root
    Kustomization all layers.
    """
    gone = missing(cluster, release.name, release.namespace)
    if not gone:
        return
    terraform.forget([release.address])
    terraform.adopt(release.address, f"{release.namespace}/{release.name}")
    more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
    run.progress.warning(f"{release.name} is mended: {gone[0]}{more} had been deleted")


def _make_room(run: Run, cluster: Cluster, resource: Resource) -> None:
    found = cluster.get("Secret", resource.name, resource.namespace)
    if found is None:
        return
    if (found["metadata"].get("labels") or {}).get(OURS[0]) != OURS[1]:
        raise Unsafe(
            f"Secret {resource.namespace}/{resource.name} exists and is not ours (no label {OURS[0]}={OURS[1]})",
            hint=f"look at it; to hand it over: kubectl -n {resource.namespace} label secret {resource.name} "
            f"{OURS[0]}={OURS[1]}",
        )
    cluster.delete("Secret", resource.name, resource.namespace)
    run.progress.note(f"Secret/{resource.name} is made anew: importing it would put the key into the state")


def require_not_terminating(cluster: Cluster, name: str) -> None:
    """A namespace that is being deleted gets ENDING seconds to say what holds it, and then HELD to end.

    Raises GateBroken when it does not, naming what holds it; finalizers are never stripped.
    """

    def says(snapshot: Snapshot) -> Outcome:
        outcome = ended(snapshot)
        return outcome if isinstance(outcome, Waiting) and outcome.reason == SILENT else Ready()

    def ended(snapshot: Snapshot) -> Outcome:
        namespace = snapshot.get(("Namespace", "", name))
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return Ready()
        conditions = namespace.get("status", {}).get("conditions", ())
        held = [found["message"] for found in conditions if found["status"] == "True" and found.get("message")]
        return Waiting("; ".join(held) or SILENT)

    try:
        for gate, seconds in ((says, ENDING), (ended, HELD)):
            wait_for(cluster, Wait(f"namespace {name}", (Watched("Namespace"),), seconds), gate)
    except GateTimeout as error:
        raise GateBroken(
            f"namespace {name} is being deleted and does not end: {error.message}",
            hint="remove what holds it (the finalizers named above), then: blackstart recover",
        ) from None


def unlock_releases(run: Run, cluster: Cluster) -> None:
    """Remove the newest revision of a release of ours that a killed run left pending (Helm's own lock)."""
    for secret in cluster.list_all("Secret", "flux-system", labels="owner=helm"):
        labels = secret["metadata"]["labels"]
        if labels.get("name") in ("flux-crds", "flux", "flux-sync") and labels.get("status", "").startswith("pending"):
            cluster.delete("Secret", secret["metadata"]["name"], "flux-system")
            run.progress.note(f"unlocked Helm release {labels['name']}: revision {labels['version']} was left pending")
