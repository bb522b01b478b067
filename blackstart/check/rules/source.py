"""Git: the commit that would be deployed is the one that Flux will get."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from blackstart.check.evidence import Evidence, at
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.tools.manifests import Place, hosts_in

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
    """A cluster can not be rebuilt from a repository that it serves itself: `recover` refuses without another."""
    git = seen.config.git
    host = urlsplit(git.url).hostname or ""
    if git.is_worktree or git.fallback_url:
        return
    for layer in seen.layers:
        if any(host in hosts_in(obj.get("spec")) for obj in seen.built(layer).objects):
            yield pointed_out(
                "self-hosted-source",
                seen.setting("git", "url"),
                f"{host} is served by layer {layer.name} of this very cluster: after its loss nothing can be deployed",
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


RULES = (path_at_commit, work_tree, remote, self_hosted, hidden)
