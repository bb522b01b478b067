"""The wiring: which modules make a stack, which stacks a cluster (design, section 2)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from blackstart.config import Workspace, load
from blackstart.config.cache import REGISTRY_LOCK, builtin_lock
from modules.cdktf import App, TerraformStack
from modules.place import Place
from modules.providers import TERRAFORM
from stacks.backend import keep_state
from stacks.cluster import cluster
from stacks.flux import flux
from stacks.single import single
from stacks.sops_age import sops_age

PARTS = {"split": (cluster, sops_age, flux), "single": (single,)}
LOCK = ".terraform.lock.hcl"


def build(root: Path, clusters: Sequence[str], out: Path) -> None:
    """Synthesize the stacks of `clusters`, of the repository `root`, into the folder `out`."""
    out = out.absolute()
    app = App(outdir=str(out), skip_validation=True)
    for name in clusters:
        _add_cluster(app, Workspace(root, name), out)
    app.synth()


def _add_cluster(app: App, workspace: Workspace, out: Path) -> None:
    config = load(workspace.root, workspace.cluster)
    layout = config.state.layout
    previous: TerraformStack | None = None
    for stack_id, part in zip(workspace.stack_ids(layout), PARTS[layout], strict=True):
        place = Place(workspace, config, out / "stacks" / stack_id)
        stack = TerraformStack(app, stack_id)
        stack.add_override("terraform.required_version", TERRAFORM)
        keep_state(stack, stack_id, place)
        part(stack, place)
        if previous is not None:
            stack.add_dependency(previous)
        previous = stack
        _clean(place)


def _clean(place: Place) -> None:
    """Remove what an earlier synth left, so that the bytes depend on the input alone; put the lock in place."""
    shutil.rmtree(place.folder / "assets", ignore_errors=True)
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = place.folder / LOCK
    lock.unlink(missing_ok=True)
    source = builtin_lock() if place.builtin else place.workspace.root / REGISTRY_LOCK
    if source.is_file():
        shutil.copyfile(source, lock)
