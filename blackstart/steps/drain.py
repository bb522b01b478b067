"""`down`: layers first, in reverse order, while Flux still runs; then the stacks (issue 6)."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.gates import Object, Outcome, Ready, Snapshot, Waiting
from blackstart.gates.flux import NAMESPACE
from blackstart.progress import StepNote
from blackstart.status import layers_in, take
from blackstart.steps.apply import FROZEN, initialize
from blackstart.steps.awaited import look
from blackstart.steps.run import Run
from blackstart.steps.states import back_up, read_state, read_state_text
from blackstart.synth import Part
from blackstart.tools.kubernetes import ApiUnreachable, Cluster
from blackstart.tools.terraform import Terraform
from blackstart.waiting import Wait, Watched, wait_for

CRDS = "helm_release.flux-crds"
FINALIZED = ("Kustomization", "HelmRelease", "HelmChart", "GitRepository", "HelmRepository")


@dataclass(frozen=True, slots=True)
class DrainLayers:
    """Delete the layers, dependants first; each waits until Flux has pruned what it applied."""

    name: str = "layers"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises GateTimeout naming the finalizers that hold a layer; they are never stripped."""
        cluster = reachable(run)
        if cluster is None:
            note.skipped = True
            found = run.provider.exists()
            note.text = f"the cluster is {'stopped' if found.exists else 'gone'}, nothing to drain: {found.proof}"
            return
        layers = list(reversed(layers_in(take(cluster))))
        before = look(cluster, layers)
        cluster.patch("Kustomization", "flux-system", NAMESPACE, FROZEN)
        for layer in layers:
            self._drain(run, cluster, layer)
        before.wait_until_gone(run, cluster, self.name)
        self._delete_sources(run, cluster)
        note.text = f"{len(layers)} layers drained"

    def _drain(self, run: Run, cluster: Cluster, layer: Object) -> None:
        name, namespace = layer["metadata"]["name"], layer["metadata"]["namespace"]
        step = f"layers/{name}"
        run.progress.tell("step", step, "started")
        cluster.patch("Kustomization", name, namespace, {"spec": {"suspend": False}})  # a suspended one prunes nothing
        cluster.delete("Kustomization", name, namespace)

        def gone(snapshot: Snapshot) -> Outcome:
            left = snapshot.get(("Kustomization", namespace, name))
            return Waiting(f"finalizers {', '.join(left['metadata'].get('finalizers', []))}") if left else Ready()

        wait = Wait(step, (Watched("Kustomization", namespace),), run.config.timeouts.layers, "blackstart status")
        wait_for(cluster, wait, gone, lambda why: run.progress.waiting(step, why))
        run.progress.ready(step, "pruned")

    def _delete_sources(self, run: Run, cluster: Cluster) -> None:
        """What has a finalizer of Flux goes while Flux is there: else its namespace never ends (terraform.md, 13)."""
        cluster.delete("Kustomization", "flux-system", NAMESPACE)
        cluster.delete("GitRepository", "flux-system", NAMESPACE)
        wait = Wait("Flux's own objects", tuple(map(Watched, FINALIZED)), run.config.timeouts.flux)
        wait_for(cluster, wait, nothing_left, lambda why: run.progress.waiting(self.name, why))


def nothing_left(snapshot: Snapshot) -> Outcome:
    """Whether no object is left in the snapshot."""
    for kind, namespace, name in sorted(snapshot):
        return Waiting(f"{kind}/{namespace}/{name} is not gone yet")
    return Ready()


@dataclass(frozen=True, slots=True)
class DestroyStack:
    """Destroy one stack; of a cluster that is gone only the state is tidied."""

    part: Part

    @property
    def name(self) -> str:
        """The stack's part."""
        return self.part

    def run(self, run: Run, note: StepNote) -> None:
        """Back up the state, then destroy."""
        stack = run.manifest.stack(self.part)
        terraform = run.terraform(stack)
        state = read_state(run, stack, terraform) if run.config.state.backend == "local" else None
        if run.config.state.backend == "local" and not (state and state.addresses()):
            note.skipped = True
            note.text = "nothing there"
            return
        initialize(run, stack, terraform)
        text = read_state_text(run, stack, terraform)
        back_up(run, stack.id, text)
        if self.part != "cluster" and reachable(run) is None:
            self._tidy(run)
            note.text = "the cluster is gone: its state is tidied"
            return
        self._take_out_crds(run, terraform)
        done = terraform.destroy(on_resource=lambda what: run.progress.waiting(self.part, what))
        self._delete_crds(run)
        if self.part in ("cluster", "single"):
            run.ws.identity.unlink(missing_ok=True)
        note.text = f"{done.removed} resources destroyed"

    def _take_out_crds(self, run: Run, terraform: Terraform) -> None:
        """Helm keeps the CRDs (`helm.sh/resource-policy`), which the legacy provider calls an error."""
        state = terraform.pull() if self.part in ("flux", "single") else None
        if state is not None and CRDS in state.addresses():
            terraform.forget([CRDS])

    def _delete_crds(self, run: Run) -> None:
        cluster = reachable(run) if self.part == "flux" else None
        if cluster is None:
            return
        for secret in cluster.list_all("Secret", NAMESPACE, labels="owner=helm,name=flux-crds"):
            cluster.delete("Secret", secret["metadata"]["name"], NAMESPACE)
        for crd in cluster.list_all("CustomResourceDefinition"):
            made_by = (crd["metadata"].get("annotations") or {}).get("meta.helm.sh/release-name")
            if made_by == "flux-crds":
                cluster.delete("CustomResourceDefinition", crd["metadata"]["name"])

    def _tidy(self, run: Run) -> None:
        terraform = run.terraform(run.manifest.stack(self.part))
        state = terraform.pull()
        if state is not None:
            terraform.forget(state.addresses() if self.part != "single" else state.addresses(in_cluster=True))
        if self.part == "single":
            terraform.destroy()


def reachable(run: Run) -> Cluster | None:
    """The cluster, or None when the provider proves that it is gone. Silence is not a proof: it raises."""
    existence = run.provider.exists()
    if not existence.exists or not existence.running:
        return None
    try:
        return run.cluster()
    except ApiUnreachable:
        if run.provider.exists().running:
            raise
        return None
