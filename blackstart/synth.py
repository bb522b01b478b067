"""Second stage of the flow: runs `main.py`, and reads the order of the stacks from its manifest."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.cache import FLUX_CHARTS, REGISTRY_LOCK, builtin_lock, flux_chart
from blackstart.config.model import K3s
from blackstart.errors import CommandFailed, ConfigError
from blackstart.tools.process import Command, run

Part = Literal["cluster", "sops-age", "flux", "single"]
PARTS: tuple[Part, ...] = ("cluster", "sops-age", "flux")
SOURCES = ("main.py", "stacks/**/*", "modules/**/*", "blackstart/config/*.py")
INPUTS = ".inputs"
TIMEOUT = 180.0
PROJECT = Path(__file__).parents[1]
"""Where blackstart's own stacks lie: those of a repository that has none (docs/init.md)."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One Terraform state: its id, which part of a cluster it is, the folder where terraform runs."""

    id: str
    part: Part
    folder: Path
    dependencies: tuple[str, ...]

    def configuration(self) -> dict[str, Any]:
        """The stack as terraform reads it."""
        found: dict[str, Any] = json.loads((self.folder / "cdk.tf.json").read_text())
        return found

    def resources(self) -> list[Resource]:
        """The managed resources that the stack declares."""
        declared = self.configuration().get("resource", {})
        return [
            Resource(f"{kind}.{label}", kind, *_named(body))
            for kind, bodies in sorted(declared.items())
            for label, body in bodies.items()
        ]


@dataclass(frozen=True, slots=True)
class Resource:
    """A declared resource: its address, its type, and what it is called in the cluster (blank outside)."""

    address: str
    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The stacks of a cluster, in the order they are applied."""

    stacks: tuple[Stack, ...]

    def stack(self, part: Part) -> Stack:
        """The stack that holds a part; in the single layout all parts are in one."""
        return next(stack for stack in self.stacks if stack.part in (part, "single"))


def synth(workspace: Workspace, config: ClusterConfig) -> Manifest:
    """Synthesize the stacks of a cluster into its own folder; what is there already for the same input is taken.

    Raises CommandFailed when `main.py` fails.
    """
    wanted = _inputs(workspace, config)
    mark = workspace.out / INPUTS
    workspace.make()
    if not mark.is_file() or mark.read_text() != wanted:
        mark.unlink(missing_ok=True)
        run_app(workspace.root, workspace.cluster, workspace.out)
        mark.write_text(wanted)
    return read(workspace.out, workspace.cluster)


def run_app(root: Path, cluster: str, out: Path) -> None:
    """Run `main.py` of the repository `root` for a cluster (`*`: all of them), into the folder `out`.

    A repository without one gets the stacks that are installed with blackstart.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join((str(root), str(PROJECT)))
    environment = {"BLACKSTART_CLUSTER": cluster, "CDKTF_OUTDIR": str(out), "PYTHONPATH": path}
    app = "main.py" if (root / "main.py").is_file() else str(PROJECT / "main.py")
    command = Command([sys.executable, app], cwd=root, env=environment, timeout=TIMEOUT)
    try:
        run(command)
    except CommandFailed as error:
        hint = error.tail.rpartition("Hint: ")[2] if "Hint: " in error.tail else "blackstart synth"
        raise CommandFailed(error.argv, error.code, error.tail, hint=hint) from None


def read(out: Path, cluster: str) -> Manifest:
    """The manifest of a folder that was synthesized; only the stacks of `cluster`."""
    path = out / "manifest.json"
    try:
        entries = json.loads(path.read_text())["stacks"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint=f"rm -r {out} && blackstart synth") from None
    parts: dict[str, Part] = {cluster: "single", **{f"{cluster}-{part}": part for part in PARTS}}
    order = TopologicalSorter({name: entry["dependencies"] for name, entry in entries.items()}).static_order()
    return Manifest(
        tuple(
            Stack(name, parts[name], out / entries[name]["workingDirectory"], tuple(entries[name]["dependencies"]))
            for name in order
            if name in parts
        )
    )


def _inputs(workspace: Workspace, config: ClusterConfig) -> str:
    """A digest of everything the stacks are made from."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    digest.update(os.environ.get("BLACKSTART_GIT_PORT", "").encode())
    for path in _files(workspace.root, config):
        digest.update(f"\0{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(root: Path, config: ClusterConfig) -> Iterator[Path]:
    found = {path for folder in {root, PROJECT} for pattern in SOURCES for path in folder.glob(pattern)}
    for name in FLUX_CHARTS:
        found |= set(flux_chart(name, config.flux.version).rglob("*"))
    found |= {builtin_lock(), root / REGISTRY_LOCK}
    if isinstance(config.cluster, K3s):
        named = (config.cluster.ssh.known_hosts, config.cluster.install.script)
        found |= {root / Path(name).expanduser() for name in named}
    yield from sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def _named(body: dict[str, Any]) -> tuple[str, str]:
    metadata = body.get("metadata", body)
    first = metadata[0] if isinstance(metadata, list) else metadata
    return str(first.get("name", "")), str(first.get("namespace", ""))
