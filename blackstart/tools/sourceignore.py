"""Which files of a commit Flux leaves out of its artifact.

The rules are those of source-controller (fluxcd/pkg, artifact/storage and sourceignore): Git's own files always;
with no pattern in any `.sourceignore`, also pictures, archives, CI and tool files; the last pattern that fits a
file decides, and a pattern reaches no higher than the folder of its `.sourceignore`. Symbolic links never get in.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

IGNORE_FILE = ".sourceignore"
OF_GIT = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
BY_DEFAULT = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml"),
    *("codeship-services.yml", "codeship-steps.yml"),
    *("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)

Scoped = tuple[str, GitIgnoreSpecPattern]


def left_out(folder: Path, files: Iterable[str]) -> set[str]:
    """Those of `files` (paths below `folder`) that Flux does not see."""
    paths = sorted(files, key=lambda path: path.count("/"))  # a deeper .sourceignore comes later, so it wins
    own = [scoped for path in paths if Path(path).name == IGNORE_FILE for scoped in _patterns(folder, path)]
    base = [("", GitIgnoreSpecPattern(line)) for line in (*OF_GIT, *(() if own else BY_DEFAULT))]
    return {path for path in paths if _decide(path, [*base, *own])}


def _patterns(folder: Path, path: str) -> list[Scoped]:
    lines = (folder / path).read_text(errors="replace").splitlines()
    scope = path.removesuffix(IGNORE_FILE)
    return [(scope, GitIgnoreSpecPattern(line)) for line in lines if line.strip() and not line.startswith("#")]


def _decide(path: str, patterns: list[Scoped]) -> bool:
    for scope, pattern in reversed(patterns):
        if path.startswith(scope) and pattern.match_file(path.removeprefix(scope)) is not None:
            return bool(pattern.include)
    return False
