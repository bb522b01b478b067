"""Before anything changes: the key, the commit, the preflight, the stacks."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from blackstart.check import Subject, preflight, require
from blackstart.errors import ConfigError
from blackstart.layers import Exported, discover
from blackstart.progress import StepNote
from blackstart.steps.run import Run
from blackstart.synth import synth
from blackstart.tools.age import find_key
from blackstart.tools.credentials import git_credentials
from blackstart.tools.git import credentials_environment
from blackstart.tools.sops import secrets_at


@dataclass(frozen=True, slots=True)
class FindKey:
    """Find the Age key, before anything is created (exit 7 when it is not there or not the right one)."""

    name: str = "key"

    def run(self, run: Run, note: StepNote) -> None:
        """Look in the places of design, section 3."""
        run.found_key = find_key(run.ws, run.config)
        note.text = f"found in {run.key.where}"


@dataclass(frozen=True, slots=True)
class PinCommit:
    """Choose the commit, export it as Flux sees it, discover its layers."""

    name: str = "commit"

    def run(self, run: Run, note: StepNote) -> None:
        """For `worktree` the chosen commit; else what the remote's branch has."""
        git = run.git
        run.found_commit = git.resolve(self._wanted(run))
        git.require_path(run.commit, run.config.git.path)
        run.tree = Path(tempfile.mkdtemp(prefix="blackstart-tree-"))
        left_out = git.export(run.commit, run.tree)
        run.exported = Exported(run.tree, left_out, discover(run.tree, run.config))
        run.layers = run.exported.wiring.layers
        run.secrets = len(secrets_at(run.tree))
        note.text = f'{run.commit.short} "{run.commit.subject}", {len(run.layers)} layers'

    def _wanted(self, run: Run) -> str:
        source = run.config.git
        if source.is_worktree or run.ref != "HEAD":
            return run.ref
        credentials = git_credentials(source, run.ws.root)
        with credentials_environment(credentials.data if credentials else {}) as env:
            head = run.git.remote_head(source.url, source.branch, env)
        if not run.git.knows(head):
            raise ConfigError(
                f"{source.url} is at {head[:7]}, which this clone does not have", hint="git pull, then again"
            )
        return head


@dataclass(frozen=True, slots=True)
class Preflight:
    """The fast part of `check`: what would stop the run is found before it begins."""

    name: str = "check"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises the error of the worst finding; warnings are told."""
        subject = Subject(run.ws, run.config, run.commit, fast=True, exported=run.exported)
        findings = preflight(subject, run.key)
        for finding in findings:
            if not finding.stops:
                run.progress.warning(str(finding))
        require(findings)
        note.text = f"the key opens {run.secrets} of {run.secrets} secrets"


@dataclass(frozen=True, slots=True)
class Publish:
    """Export the commit to the bare repository that Flux reads (`git.url: worktree`)."""

    name: str = "publish"

    def run(self, run: Run, note: StepNote) -> None:
        """The operator's own repository is never written."""
        if not run.config.git.is_worktree:
            note.skipped = True
            return
        run.ws.make()
        run.git.publish(run.commit, run.ws.git, run.config.git.branch)
        note.text = f"{run.config.git.branch}@{run.commit.short}"


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Make the stacks by `main.py`."""

    name: str = "synth"

    def run(self, run: Run, note: StepNote) -> None:
        """Into `.blackstart/<cluster>/cdktf.out`."""
        run.found_manifest = synth(run.ws, run.config)
        note.text = f"{len(run.manifest.stacks)} stacks"
