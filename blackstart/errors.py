"""What can go wrong, by what the operator must do next, each with its exit code (design, section 4)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


class BlackstartError(Exception):
    """An expected failure: `message` says what happened, `hint` which command or edit comes next.

    `step` is where in a run it happened, `seconds` how far into that step; blank and None outside of one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.step = ""
        self.seconds: float | None = None


class ConfigError(BlackstartError):
    """The cluster file, the repository or the arguments are wrong."""

    exit_code = 2


class MissingTool(BlackstartError):
    """An outside program is absent or too old."""

    exit_code = 3


class CommandFailed(BlackstartError):
    """An outside program ended with an error.

    `argv` is the command, `code` its exit code, `tail` the last lines it printed (secrets redacted),
    `log` the file that has all of it.
    """

    exit_code = 4

    def __init__(self, argv: Sequence[str], code: int, tail: str, *, log: Path | None = None, hint: str = "") -> None:
        super().__init__(f"{Path(argv[0]).name} ended with exit code {code}", hint=hint)
        self.argv = tuple(argv)
        self.code = code
        self.tail = tail
        self.log = log

    @property
    def command(self) -> str:
        """The command in a form to paste into a shell."""
        return shlex.join(self.argv)


class ToolFailed(BlackstartError):
    """An outside service answered with an error."""

    exit_code = 4


class GateTimeout(BlackstartError):
    """Something did not become Ready in time; `tree` shows what and why, deepest reason last."""

    exit_code = 5

    def __init__(self, message: str, *, tree: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tree = tree


class GateBroken(BlackstartError):
    """Something can not become Ready by waiting."""

    exit_code = 6


class KeyProblem(BlackstartError):
    """The Age key is missing, malformed or the wrong one."""

    exit_code = 7


class Unsafe(BlackstartError):
    """Refused: going on could harm a cluster or lose data."""

    exit_code = 8


class Locked(BlackstartError):
    """Another run holds the lock; `lock` is its ID, where it is that of a Terraform state."""

    exit_code = 9

    def __init__(self, message: str, *, hint: str = "", lock: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lock = lock


class Interrupted(BlackstartError):
    """The operator pressed Ctrl-C."""

    exit_code = 130
