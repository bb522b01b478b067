"""The wiring: which modules make a stack, which stacks a cluster (design, section 2)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from blackstart.config import ClusterConfig, Workspace, load
from blackstart.config.cache import REGISTRY_LOCK, builtin_lock, builtin_mirror
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
    configs = {name: load(root, name) for name in clusters}
    for name, config in configs.items():
        _add_cluster(app, Workspace(root, name), config, out)
    app.synth()
    if out.parent == root:
        _link_mirror(root, all(config.providers == "builtin" for config in configs.values()))


def _add_cluster(app: App, workspace: Workspace, config: ClusterConfig, out: Path) -> None:
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
        _prepare(place)


def _prepare(place: Place) -> None:
    """Remove what an earlier synth left: the bytes depend on the input alone. Put lock and mirror in place."""
    shutil.rmtree(place.folder / "assets", ignore_errors=True)
    place.folder.mkdir(parents=True, exist_ok=True)
    _link_mirror(place.folder, place.builtin)
    lock = place.folder / LOCK
    lock.unlink(missing_ok=True)
    source = builtin_lock() if place.builtin else place.workspace.root / REGISTRY_LOCK
    if source.is_file():
        shutil.copyfile(source, lock)


def _link_mirror(folder: Path, builtin: bool) -> None:
    """Let a plain `terraform init` take the builtin pair as it was installed, offline and without any setting.

    terraform looks in `terraform.d/plugins` of the folder where it is started, which with `-chdir` is the
    repository's; what it finds there it takes from nowhere else, so the registry pair must not find such a folder.
    """
    plugins = folder / "terraform.d" / "plugins"
    plugins.unlink(missing_ok=True)
    if builtin:
        plugins.parent.mkdir(exist_ok=True)
        plugins.symlink_to(builtin_mirror())
