"""One stack brought to its configuration: initialized, adopted, applied."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from blackstart import toolchain
from blackstart.config.workspace import make_private, write_private
from blackstart.errors import GateBroken
from blackstart.gates import Outcome, Ready
from blackstart.gates.flux import NAMESPACE
from blackstart.gates.key import key_secret
from blackstart.gates.nodes import nodes
from blackstart.progress import StepNote
from blackstart.steps.adopt import adopt
from blackstart.steps.cloud import require_workspace
from blackstart.steps.identity import remember
from blackstart.steps.run import Run
from blackstart.steps.seed import seed_network
from blackstart.steps.states import back_up, push_errored, read_state_text
from blackstart.synth import Stack
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import Terraform
from blackstart.waiting import STATUS, Wait, Watched, wait_for

MARK = "blackstart/frozen"
FROZEN = {"metadata": {"annotations": {MARK: "down"}}, "spec": {"suspend": True}}
THAWED = {"metadata": {"annotations": {MARK: None}}, "spec": {"suspend": False}}


@dataclass(frozen=True, slots=True)
class ApplyCluster:
    """The cluster stack, to nodes that are Ready."""

    rejoin: tuple[str, ...] = ()
    name: str = "cluster"

    def run(self, run: Run, note: StepNote) -> None:
        """Ends with the API answering and nodes Ready, CNI included (design, section 5).

        The hosts of `rejoin` have nothing of the cluster any more: they are taken out of it and join anew.
        """
        stack = run.manifest.stack("cluster")
        apply_stack(run, stack, replace=joins(stack, self.rejoin))
        cluster = run.cluster()
        seeded = seed_network(run)
        if seeded:
            run.progress.note(seeded)
        hint = "a host that was made anew joins by: blackstart recover" if run.config.provider == "k3s" else STATUS
        wait = Wait("nodes", (Watched("Node"),), run.config.timeouts.cluster, hint)
        ready, _ = wait_for(cluster, wait, nodes, lambda why: run.progress.waiting(self.name, why))
        remember(run, cluster)
        note.text = f"control plane {cluster.version()}, {ready.note}"


@dataclass(frozen=True, slots=True)
class ApplyKey:
    """Namespace `flux-system` and the Secret `sops-age`, before Flux can look at an encrypted file."""

    name: str = "sops-age"

    def run(self, run: Run, note: StepNote) -> None:
        """A plan does not see content that drifted: the live Secret is compared and replaced when wrong."""
        stack = run.manifest.stack("sops-age")
        apply_stack(run, stack)
        note.text = require_key(run, stack)


@dataclass(frozen=True, slots=True)
class ApplyFlux:
    """Flux itself and what it reads from."""

    name: str = "flux"

    def run(self, run: Run, note: StepNote) -> None:
        """CRDs, controllers, source: three Helm releases."""
        apply_stack(run, run.manifest.stack("flux"))
        thaw(run.cluster())
        note.text = f"{run.config.flux.version}, source {run.config.git.branch}@{run.commit.short}"


@dataclass(frozen=True, slots=True)
class ApplySingle:
    """All in one state (`state.layout: single`)."""

    name: str = "apply"

    def run(self, run: Run, note: StepNote) -> None:
        """Cluster, key, Flux; the in-graph gate included."""
        stack = run.manifest.stack("single")
        apply_stack(run, stack)
        remember(run, run.cluster())
        note.text = f"1 stack, {require_key(run, stack)}"


def require_key(run: Run, stack: Stack) -> str:
    """Replace the Secret with the key when its live content is wrong; returns what is there then. Raises GateBroken."""
    outcome = _live_key(run)
    if not isinstance(outcome, Ready):
        address = next(one.address for one in stack.resources() if one.name == "sops-age")
        run.applied[stack.id] = run.terraform(stack).apply(replace=(address,))
        outcome = _live_key(run)
    if not isinstance(outcome, Ready):
        raise GateBroken(f"Secret sops-age: {outcome.reason}", hint="blackstart keys verify")
    return f"{outcome.note}, opens {run.secrets} of {run.secrets} secrets"


def _live_key(run: Run) -> Outcome:
    return key_secret(run.cluster().get("Secret", "sops-age", "flux-system"), run.key.recipients)


def joins(stack: Stack, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of the hosts' joins (modules/clusters/k3s): a server's own resource, an agent's instance."""
    declared = {one.address for one in stack.resources()}
    servers = {host: f"terraform_data.server-{host}" for host in hosts}
    return tuple(at if at in declared else f'terraform_data.agent["{host}"]' for host, at in servers.items())


def apply_stack(run: Run, stack: Stack, *, replace: tuple[str, ...] = ()) -> None:
    """Initialize where needed, push back what a killed run left, adopt, apply; `replace` are addresses."""
    terraform = run.terraform(stack)
    make_private(run.ws.states)
    initialize(run, stack, terraform)
    push_errored(run, stack, terraform)
    if stack.part != "cluster" and (stack.part != "single" or run.provider.exists().running):
        adopt(run, stack, terraform)
    step = stack.part if stack.part != "single" else "apply"
    applied = terraform.apply(replace=replace, on_resource=lambda what: run.progress.waiting(step, what))
    run.applied[stack.id] = applied
    if not applied.nothing and run.config.state.backend == "local":  # other backends keep a history themselves
        for written in run.ws.states.glob(f"{stack.id}.tfstate*"):
            written.chmod(0o600)
        back_up(run, stack.id, read_state_text(run, stack, terraform))


def initialize(run: Run, stack: Stack, terraform: Terraform) -> None:
    """`terraform init`, but not again for the same providers and backend."""
    if run.config.state.backend == "cloud":  # each time: where its runs are is decided there
        require_workspace(run, stack)
    marker = stack.folder / ".terraform" / "blackstart-initialized"
    if marker.is_file() and marker.read_text() == _fingerprint(stack, run):
        return
    terraform.init()
    write_private(marker, _fingerprint(stack, run))


def _fingerprint(stack: Stack, run: Run) -> str:
    """Of what init reads, and of the lock file as init has left it."""
    block = json.dumps(stack.configuration()["terraform"], sort_keys=True)
    files = (toolchain.terraformrc(run.config.providers), stack.folder / ".terraform.lock.hcl")
    parts = (block, str(stack.folder), *(file.read_text() if file.is_file() else "" for file in files))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def thaw(cluster: Cluster) -> None:
    """Undo what an interrupted `down` froze."""
    root = cluster.get("Kustomization", "flux-system", NAMESPACE)
    if root and MARK in (root["metadata"].get("annotations") or {}):
        cluster.patch("Kustomization", "flux-system", NAMESPACE, THAWED)
