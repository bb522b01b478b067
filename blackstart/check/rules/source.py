"""Git: the commit that would be deployed is the one that Flux will get."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from blackstart.check.evidence import Evidence, at
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.tools.manifests import Place

SEEN_BY_NOBODY = (".sops.yaml", ".flux.yaml", ".goreleaser.yml")


def path_at_commit(seen: Evidence) -> Iterator[Finding]:
    """`git.path` exists at the commit."""
    path = seen.config.git.path
    if not seen.source.path_exists:
        yield found(
            "git-path-missing",
            seen.setting("git", "path"),
            f"git.path: {path} does not exist at commit {seen.commit.short}",
            f"git add {path} && git commit, or correct git.path",
        )


def work_tree(seen: Evidence) -> Iterator[Finding]:
    """Flux reads commits: what is not committed is not deployed."""
    if seen.source.dirty:
        yield pointed_out(
            "git-uncommitted",
            Place(".", 0),
            f"there are uncommitted changes: commit {seen.commit.short} is deployed without them",
            "git status; git commit",
        )


def remote(seen: Evidence) -> Iterator[Finding]:
    """The remote answers, and its branch is the commit."""
    heard, git = seen.source.remote, seen.config.git
    if heard is None:
        return
    if heard.problem:
        name = "git-branch-missing" if heard.no_branch else "git-remote-unreachable"
        key = "branch" if heard.no_branch else "url"
        yield found(name, seen.setting("git", key), heard.problem.message, heard.problem.hint)
    elif heard.head != seen.commit.sha:
        yield found(
            "git-not-pushed",
            seen.setting("git", "branch"),
            f"branch {git.branch} of {git.url} is at {heard.head[:7]}, not at {seen.commit.short}: that is deployed",
            f"git push {git.url} {seen.commit.short}:{git.branch}, or git pull",
        )


def self_hosted(seen: Evidence) -> Iterator[Finding]:
    """A cluster can not be rebuilt from a repository that it serves itself."""
    git = seen.config.git
    host = urlsplit(git.url).hostname if not git.is_worktree else None
    if not host or git.fallback_url:
        return
    domain = seen.config.settings.get("domain", "")
    specs = ((layer, obj.get("spec")) for layer in seen.layers for obj in seen.built(layer).objects)
    server = next((layer for layer, spec in specs if _mentions(spec, host)), None)
    inside = bool(domain) and (host == domain or host.endswith(f".{domain}"))
    if server or inside:
        by = f"layer {server.name}" if server else f"settings.domain {domain}"
        yield found(
            "self-hosted-source",
            seen.setting("git", "url"),
            f"{host} is served by this cluster itself ({by}): after its loss there is nothing to recover from",
            "mirror the repository elsewhere and set git.fallback_url",
        )


def hidden(seen: Evidence) -> Iterator[Finding]:
    """Nothing that a layer needs is left out by .sourceignore."""
    roots = {seen.config.git.path.removeprefix("./").strip("/"): seen.setting("git", "path")}
    roots |= {layer.path: at(layer) for layer in seen.layers}
    for path in sorted(seen.source.hidden):
        root = next((root for root in sorted(roots) if path.startswith(f"{root}/")), None)
        if root is not None and path.endswith((".yaml", ".yml")) and not path.endswith(SEEN_BY_NOBODY):
            yield found(
                "hidden-by-sourceignore",
                Place(path, 1),
                f"{path} is in {root}, but Flux leaves it out of its artifact (.sourceignore, or a symbolic link)",
                f"add !/{path} to .sourceignore",
            )


def _mentions(value: object, host: str) -> bool:
    """Whether a host is named as such: a whole value, never a part of a longer one."""
    if isinstance(value, dict):
        return any(_mentions(one, host) for one in value.values())
    if isinstance(value, list):
        return any(_mentions(one, host) for one in value)
    return isinstance(value, str) and value == host


RULES = (path_at_commit, work_tree, remote, self_hosted, hidden)
