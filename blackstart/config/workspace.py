"""Where things are: the repository, and `.blackstart/<cluster>/` in it (design, section 4)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STACKS = ("cluster", "sops-age", "flux")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders and files of one cluster; `root` is the repository, absolute."""

    root: Path
    cluster: str

    @property
    def folder(self) -> Path:
        """`.blackstart/<cluster>`, git-ignored, mode 0700."""
        return self.root / ".blackstart" / self.cluster

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig, made anew by its provider when missing or stale."""
        return self.folder / "kubeconfig"

    @property
    def identity(self) -> Path:
        """A copy of the identity that the states record: which cluster this is."""
        return self.folder / "identity.json"

    @property
    def hooks(self) -> Path:
        """The data hooks that are due, until the cluster can keep that itself."""
        return self.folder / "hooks.json"

    @property
    def out(self) -> Path:
        """Where the command line synthesizes this cluster's stacks."""
        return self.folder / "cdktf.out"

    @property
    def states(self) -> Path:
        """Local states: `<stack id>.tfstate`."""
        return self.folder / "states"

    @property
    def backups(self) -> Path:
        """States as they were before somebody touched them."""
        return self.folder / "backups"

    @property
    def runs(self) -> Path:
        """One folder a run: `events.jsonl`, `report.json`, `logs/`."""
        return self.folder / "runs"

    @property
    def lock(self) -> Path:
        """Held by the run that changes this cluster."""
        return self.folder / "lock"

    @property
    def git(self) -> Path:
        """The bare repository that Flux reads when `git.url` is `worktree`."""
        return self.folder / "git.git"

    @property
    def embedded(self) -> Path:
        """Everything of the embedded control plane."""
        return self.folder / "embedded"

    def stack_ids(self, layout: str) -> list[str]:
        """The stacks of this cluster, in the order they are applied."""
        return [self.cluster] if layout == "single" else [f"{self.cluster}-{part}" for part in STACKS]

    def state(self, stack: str) -> Path:
        """The local state of a stack."""
        return self.states / f"{stack}.tfstate"

    def make(self) -> None:
        """Make the folder, private from the first moment on."""
        make_private(self.folder)


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, with mode 0700."""
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all (atomic rename, mode at creation)."""
    make_private(path.parent)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    new.replace(path)


def append_private(path: Path, text: str) -> None:
    """Append to a file that only its owner may read."""
    make_private(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(text)
