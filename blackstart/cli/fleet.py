"""Options and output of commands over many clusters."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from blackstart.cli.options import Options
from blackstart.fleet import Fleet, Outcome, Rollout, Selection, worst

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def selection_options(command: Decorated) -> Decorated:
    """`--all`, `--match`, `--cluster`: which clusters."""
    command = click.option("--match", default="", help="All clusters whose name matches this glob.")(command)
    command = click.option("--all", "every", is_flag=True, help="All clusters of the repository.")(command)
    return click.option("--cluster", "more", multiple=True, help="Which cluster; may be given again.")(command)


def rollout_options(command: Decorated) -> Decorated:
    """`--max-parallel`, `--canary`, `--max-failures`: how a fleet is worked through."""
    several = click.IntRange(1)
    failures = click.option("--max-failures", default=1, show_default=True, help="Begin no more after (0: never).")
    canary = click.option("--canary", default="", help="First; the others only when it is Ready.")
    parallel = click.option("--max-parallel", default=4, show_default=True, type=several, help="At a time.")
    return parallel(canary(failures(command)))


def selected(options: Options, every: bool, match: str, more: Sequence[str]) -> Selection:
    """The clusters that a command line names, before or after the command."""
    return Selection(tuple(more) or options.clusters, every, match)


def work(options: Options, command: Sequence[str], selection: Selection, rollout: Rollout) -> None:
    """Run a command over a fleet, tell each event, close with a table. Exits with the worst code."""
    told = _json_line if options.output == "json" else _plain_line
    outcomes = Fleet(options.root, command, rollout, told).work(selection.names(options.root))
    if options.output == "json":
        for one in outcomes:
            click.echo(json.dumps({"cluster": one.cluster, "code": one.code, "message": one.message}))
    else:
        click.echo(table(outcomes), err=True)
    sys.exit(worst(outcomes))


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a cluster, then how many are Ready."""
    lines = [f" {'✔' if one.code == 0 else '✘'} {one.cluster:<24} {_words(one)}" for one in outcomes]
    good = sum(one.code == 0 for one in outcomes)
    return "\n".join([*lines, f"{good} of {len(outcomes)} Ready"])


def _words(one: Outcome) -> str:
    if one.code == 0:
        return "Ready"
    where = f"  log {one.log}" if one.log else ""
    code = f"exit {one.code}: " if one.code > 0 else ""
    return f"{code}{one.message.removeprefix('✘ ')}{where}"


def _json_line(cluster: str, event: dict[str, object]) -> None:
    click.echo(json.dumps({"cluster": cluster, **event}))


def _plain_line(cluster: str, event: dict[str, object]) -> None:
    if event.get("event") == "step" and event.get("status") != "started":
        click.echo(f"{cluster:<16} {event['step']} {event['status']} {event['reason']}".rstrip(), err=True)
