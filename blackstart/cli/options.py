"""What every command is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the main command: `output` is text or json, `root` the repository."""

    root: Path
    clusters: tuple[str, ...]
    output: str
    debug: bool


def with_cluster(command: click.Command) -> click.Command:
    """Let `--cluster` stand after a command too, where the command has no such option of its own."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_cluster(below)
    elif not any("--cluster" in option.opts for option in command.params):
        named = click.Option(["--cluster"], multiple=True, expose_value=False, callback=_name, help="Which cluster.")
        command.params.append(named)
    return command


def _name(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        ctx.obj = replace(ctx.obj, clusters=value)
