"""Whether the repository that Flux reads is served by the very cluster that is to be recovered."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config import ClusterConfig, load
from blackstart.config.load import FALLBACK
from blackstart.errors import BlackstartError, ToolFailed, Unsafe
from blackstart.layers import Layer, discover
from blackstart.progress import StepNote
from blackstart.recovery.facts import GitFact
from blackstart.steps.run import Run
from blackstart.tools.credentials import git_credentials
from blackstart.tools.git import credentials_environment
from blackstart.tools.manifests import hosts_in


@dataclass(frozen=True, slots=True)
class ChooseSource:
    """Read from `git.fallback_url` where the repository was served by the very cluster that is lost."""

    name: str = "source"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises Unsafe without a fallback; the remote's own error when the cluster has nothing to do with it."""
        git = run.config.git
        trouble = None if git.is_worktree or os.environ.get(FALLBACK) else _trouble(run)
        note.skipped = trouble is None
        if trouble is None:
            return
        layer = _served_here(run)
        if not layer:
            raise trouble
        if not git.fallback_url:
            raise Unsafe(
                f"{git.url} is served by layer {layer} of this very cluster, and there is no git.fallback_url",
                hint=f"mirror the repository elsewhere and set git.fallback_url in clusters/{run.ws.cluster}.yaml",
            )
        os.environ[FALLBACK] = "1"
        run.config = load(run.ws.root, run.ws.cluster)
        here = f"{git.url} is served by layer {layer} of this very cluster"
        run.progress.warning(f"{here}: Flux reads from {git.fallback_url} for now")
        run.notes.append(f"when {git.url} serves again, switch back: blackstart --cluster {run.ws.cluster} up")
        note.text = f"{git.fallback_url}, since layer {layer} served {git.url}"


def _trouble(run: Run) -> BlackstartError | None:
    """What the remote answers instead of a commit."""
    git = run.config.git
    try:
        credentials = git_credentials(git, run.ws.root)
        with credentials_environment(credentials.data if credentials else {}) as env:
            run.git.remote_head(git.url, git.branch, env)
    except ToolFailed as error:
        return error
    return None


def _served_here(run: Run) -> str:
    """The layer that serves the source, by what this clone holds."""
    with tempfile.TemporaryDirectory(prefix="blackstart-tree-") as folder:
        run.git.export(run.git.resolve(run.ref), Path(folder))
        return served_by(Path(folder), discover(Path(folder), run.config).layers, run.config)


def git_fact(run: Run) -> GitFact:
    """Where Flux reads from, in words; the commit was resolved there before."""
    git = run.config.git
    at = f"{git.branch} = {run.commit.short}"
    if git.is_worktree:
        return GitFact(f"this repository, served on loopback, {at}")
    layer = served_by(run.tree, run.layers, run.config) if run.tree else ""
    where = f"served by layer {layer} of this very cluster" if layer else "not served by this cluster"
    return GitFact(f"{git.url} {at}, {where}", layer, git.fallback_url)


def served_by(tree: Path, layers: tuple[Layer, ...], config: ClusterConfig) -> str:
    """The layer whose manifests give out the host name of `git.url` (routes, ingresses, values); blank: none."""
    host = urlsplit(config.git.url).hostname or ""
    for layer in layers:
        for path in sorted((tree / layer.path.removeprefix("./")).rglob("*.yaml")):
            if host in _hosts(path, config.cluster_settings):
                return layer.name
    return ""


def _hosts(path: Path, settings: dict[str, str]) -> set[str]:
    text = path.read_text(errors="replace")
    for name, value in settings.items():
        text = text.replace(f"${{{name}}}", value)
    try:
        return {host for document in YAML(typ="safe").load_all(text) for host in hosts_in(document)}
    except YAMLError:
        return set()
