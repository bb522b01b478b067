"""What `up` would change: in Terraform, stack by stack, and in the Flux layers, object by object."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from blackstart.config import ClusterConfig
from blackstart.errors import BlackstartError
from blackstart.gates import Object
from blackstart.gates.flux import NAMESPACE, revision_of
from blackstart.layers import Wiring, wiring
from blackstart.steps.apply import initialize
from blackstart.steps.run import Run
from blackstart.steps.states import read_state
from blackstart.synth import Stack
from blackstart.tools.git import Git


@dataclass(frozen=True, slots=True)
class StackPlan:
    """One stack: its changes as (address, action); `after` names the stack without which it cannot be planned."""

    name: str
    changes: tuple[tuple[str, str], ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer between the commit that is deployed and the one that would be: objects as `Kind/namespace/name`."""

    name: str
    created: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def plan_stacks(run: Run) -> list[StackPlan]:
    """Plan each stack; one whose cluster does not exist yet is shown with all its resources."""
    planned: list[StackPlan] = []
    missing = ""
    for stack in run.manifest.stacks:
        if missing or (stack.part in ("sops-age", "flux") and not run.ws.kubeconfig.is_file()):
            after = missing or run.manifest.stacks[0].id
            created = tuple((one.address, "create") for one in stack.resources())
            planned.append(StackPlan(stack.id, created, after))
            continue
        planned.append(_plan(run, stack))
        if stack.part == "cluster" and read_state(run, stack, run.terraform(stack)) is None:
            missing = stack.id
    return planned


def _plan(run: Run, stack: Stack) -> StackPlan:
    terraform = run.terraform(stack)
    initialize(run, stack, terraform)
    changes = terraform.plan()
    return StackPlan(stack.id, tuple((one.address, "/".join(one.actions)) for one in changes))


def plan_layers(run: Run) -> list[LayerPlan]:
    """What the commit changes in each layer, compared with the commit that Flux has applied."""
    before = _deployed(run)
    after = _built(run.git, run.commit.sha, run.config)
    names = [layer.name for layer in after.layers]
    gone = [layer.name for layer in before.layers if layer.name not in names] if before else []
    return [_compare(name, before, after) for name in [*names, *gone]]


def _deployed(run: Run) -> Wiring | None:
    """The wiring of the commit in the cluster, or None when there is none that this clone knows."""
    if not run.ws.kubeconfig.is_file():
        return None
    try:
        repository = run.cluster().get("GitRepository", "flux-system", NAMESPACE)
        sha = revision_of(repository or {})
        return _built(run.git, sha, run.config) if sha and run.git.knows(sha) else None
    except BlackstartError:
        return None


def _built(git: Git, sha: str, config: ClusterConfig) -> Wiring:
    folder = Path(tempfile.mkdtemp(prefix="blackstart-plan-"))
    try:
        git.export(git.resolve(sha), folder)
        return wiring(folder, config)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compare(name: str, before: Wiring | None, after: Wiring) -> LayerPlan:
    old = _objects(before, name) if before else {}
    new = _objects(after, name)
    return LayerPlan(
        name,
        created=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(key for key in new.keys() & old.keys() if new[key] != old[key])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def _objects(found: Wiring, name: str) -> dict[str, Object]:
    built = found.built.get(name)
    return {_called(thing): thing for thing in built.objects} if built else {}


def _called(thing: Object) -> str:
    meta = thing["metadata"]
    return "/".join(filter(None, (str(thing["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))))
