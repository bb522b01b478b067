"""The writing side of git: what is staged, commits of given files, hooks. Only `keys` needs it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import ConfigError
from blackstart.tools.process import Command, Completed, run

AUTHOR = ("GIT_AUTHOR_", "GIT_COMMITTER_")


@dataclass(frozen=True, slots=True)
class Index:
    """The index of the repository whose top folder is `root`. Raises CommandFailed from every method."""

    root: Path

    def staged(self) -> list[str]:
        """The files that the next commit adds or changes."""
        return self._names("diff", "--cached", "--name-only", "--no-renames", "--diff-filter=ACMT", "-z")

    def tracked(self, *patterns: str) -> list[str]:
        """The files in the index, those that fit a pattern when one is given."""
        return self._names("ls-files", "-z", "--", *patterns)

    def known(self, *patterns: str) -> list[str]:
        """The files in the index, and those that could be added: what is ignored is left out."""
        return self._names("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)

    def text(self, name: str) -> str | None:
        """A file as it is staged, None when it is not in the index; undecodable bytes are replaced."""
        done = self._git("cat-file", "blob", f":{name}", check=False)
        return done.stdout if done.code == 0 else None

    def changed(self, names: Sequence[str]) -> list[str]:
        """Which of these files differ from the last commit."""
        return self._names("diff", "HEAD", "--name-only", "-z", "--", *names) if names else []

    def diff(self, names: Sequence[str]) -> str:
        """What has changed in these files since the last commit."""
        return self._git("diff", "HEAD", "--no-ext-diff", "--", *names).stdout

    def commit(self, names: Sequence[str], message: str) -> None:
        """Commit these files alone, whatever else is staged; hooks run."""
        self._git("add", "--", *names)
        self._git("commit", "--quiet", "--only", "-m", message, "--", *names)

    def hooks(self) -> Path:
        """The folder that git takes its hooks from. Raises ConfigError outside of a repository."""
        done = self._git("rev-parse", "--git-path", "hooks", check=False)
        if done.code != 0:
            raise ConfigError(f"{self.root} is not a Git repository", hint="git init")
        return self.root / done.stdout.rstrip("\n")

    def _names(self, *words: str) -> list[str]:
        return [name for name in self._git(*words).stdout.split("\0") if name]

    def _git(self, *words: str, check: bool = True) -> Completed:
        author = {name: value for name, value in os.environ.items() if name.startswith(AUTHOR)}
        env = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **author}
        return run(Command(("git", "-C", str(self.root), *words), env=env, timeout=120.0), check=check)
