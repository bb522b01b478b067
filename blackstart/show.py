"""How an error is shown, in this one place: what failed, the command, its output, its log, what to do next."""

from __future__ import annotations

import os
import re
from pathlib import Path

from blackstart.errors import BlackstartError, CommandFailed, GateTimeout
from blackstart.report.closing import shown

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")

BY_HAND = "run the command by hand to see more"
COMMAND = re.compile(
    r"\bblackstart (?=(?:up|down|recover|status|check|plan|synth|drill|report|kubeconfig|keys|cloud|config)\b)"
)


def render_error(error: BlackstartError, *, step: str = "", seconds: float | None = None) -> str:
    """The error as text for people (screens.md); `step` is where it happened, `seconds` how far into it."""
    first, *more = clean(error.message).splitlines() or [type(error).__name__]
    after = "" if seconds is None else f" after {seconds:.1f}s"
    blocks = [f"✘ {step}  {first}{after}" if step else f"✘ {first}{after}"]
    body = [*more, *_output(error)]
    blocks += ["", *(f"  {line}".rstrip() for line in body)] if body else []
    facts = _facts(error)
    blocks += ["", *(f"  {name:<7}  {value}" for name, value in facts)] if facts else []
    return "\n".join(blocks)


def addressed(hint: str, cluster: str) -> str:
    """A hint whose commands are about `cluster`: pasted as they are they would work on the default one."""
    return COMMAND.sub(f"blackstart --cluster {cluster} ", hint) if cluster not in ("", "local") else hint


def show_error(error: BlackstartError, *, step: str = "", seconds: float | None = None) -> None:
    """Print the error to stderr, in colour on a terminal; a command stays one line that can be pasted."""
    from rich.console import Console
    from rich.text import Text

    text = Text(render_error(error, step=step, seconds=seconds))
    text.highlight_regex(r"\A✘.*", "bold red")
    text.highlight_regex(r"(?m)^  Hint .*", "bold")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)


def clean(text: str) -> str:
    """`text` without colours and control characters: what a tool prints must not steer the terminal."""
    plain = ESCAPES.sub("", text).replace("\t", "    ")
    return "".join(char for char in plain if char == "\n" or char.isprintable())


def _output(error: BlackstartError) -> list[str]:
    output = error.tail if isinstance(error, CommandFailed) else error.tree if isinstance(error, GateTimeout) else ""
    return clean(output).strip("\n").splitlines()


def _facts(error: BlackstartError) -> list[tuple[str, str]]:
    facts = []
    if isinstance(error, CommandFailed):
        facts.append(("command", _short(error.command)))
        if error.log is not None:
            facts.append(("log", shown(error.log)))
    hint = error.hint or (BY_HAND if isinstance(error, CommandFailed) else "")
    if hint:
        head, *rest = clean(hint).splitlines()
        facts += [("Hint", head), *(("", line) for line in rest)]
    return facts


def _short(command: str) -> str:
    """The command with paths below the current folder made relative: shorter, and it still can be pasted."""
    return command.replace(f"{Path.cwd()}{os.sep}", "")
