"""Whether the repository that Flux reads is served by the very cluster that is to be recovered."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config import ClusterConfig
from blackstart.layers import Layer
from blackstart.recovery.facts import GitFact
from blackstart.steps.run import Run
from blackstart.tools.manifests import hosts_in


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
