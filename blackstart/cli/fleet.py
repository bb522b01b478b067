"""Options and output of commands over many clusters."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from blackstart.cli.options import Options
from blackstart.config import load
from blackstart.errors import BlackstartError
from blackstart.fleet import Audience, Fleet, Outcome, Rollout, Selection, unfinished_first, worst
from blackstart.report.closing import shown
from blackstart.show import clean
from blackstart.tools.git import Git

if TYPE_CHECKING:
    from blackstart.report.fleet import FleetTable

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
GOOD = {"up": "Ready", "recover": "Ready", "status": "Ready", "check": "ready", "plan": "planned", "down": "gone"}


def selection_options(command: Decorated) -> Decorated:
    """`--all`, `--match`, `--cluster`: which clusters."""
    command = click.option("--match", default="", help="All clusters whose name matches this glob.")(command)
    command = click.option("--all", "every", is_flag=True, help="All clusters of the repository.")(command)
    return click.option("--cluster", "more", multiple=True, help="Which cluster; may be given again.")(command)


def parallel_option(command: Decorated) -> Decorated:
    """`--max-parallel`."""
    several = click.IntRange(1)
    return click.option("--max-parallel", default=4, show_default=True, type=several, help="Clusters at a time.")(
        command
    )


def rollout_options(command: Decorated) -> Decorated:
    """`--max-parallel`, `--canary`, `--max-failures`: how a fleet is worked through."""
    failures = click.option(
        "--max-failures", default=1, show_default=True, type=click.IntRange(0), help="Begin no more after (0: never)."
    )
    canary = click.option("--canary", default="", help="This cluster first; the others only when it is Ready.")
    return parallel_option(canary(failures(command)))


def selected(options: Options, every: bool, match: str, more: Sequence[str]) -> Selection:
    """The clusters that a command line names, before or after the command."""
    return Selection(tuple(more) or options.clusters, every, match)


def alone(options: Options, more: Sequence[str]) -> Options:
    """The options of a command about one cluster, which may be named after the command too."""
    return replace(options, clusters=tuple(more) or options.clusters)


def work(options: Options, command: Sequence[str], selection: Selection, rollout: Rollout, *, ref: str = "") -> None:
    """Change many clusters, tell each event, close with a table. Exits with the worst code.

    With `ref` all get that one commit, and the rollout goes on where it stopped.
    """
    clusters = selection.names(options.root)
    commit = Git(options.root).resolve(ref).sha if ref else ""
    if commit:
        clusters = unfinished_first(options.root, clusters, commit)
    audience, close = _audience(options, command[0], clusters)
    pin = partial(_pin, options.root, commit, ref)
    try:
        outcomes = Fleet(options.root, command, rollout, audience, pin=pin).work(clusters)
    finally:
        close()
    _finish(options, GOOD[command[0]], outcomes, drawn=isinstance(audience, _Drawn))


def _pin(root: Path, commit: str, ref: str, cluster: str) -> list[str]:
    """A cluster that reads from a remote has the commit of its branch, unless another was asked for."""
    try:
        worktree = load(root, cluster).git.is_worktree
    except BlackstartError:  # its own process says what is wrong
        return []
    return ["--ref", commit] if commit and (worktree or ref != "HEAD") else []


def look(options: Options, command: Sequence[str], selection: Selection, max_parallel: int) -> None:
    """Look at many clusters: each one's answer as soon as it is there. Exits with the worst code."""
    clusters = selection.names(options.root)
    audience = _Json() if options.output == "json" else _Answers(command[0])
    fleet = Fleet(options.root, command, Rollout(max_parallel), audience, as_json=options.output == "json")
    good = "shown" if "--dry-run" in command else GOOD[command[0]]
    _finish(options, good, [replace(one, log=None) for one in fleet.work(clusters)])


def statuses(options: Options, command: Sequence[str], selection: Selection, max_parallel: int) -> None:
    """`status` of many clusters: a line each. Exits with the worst code."""
    if options.output == "json":
        look(options, command, selection, max_parallel)
    clusters = selection.names(options.root)
    audience, close = _audience(options, command[0], clusters, stays=False)
    try:
        found = Fleet(options.root, command, Rollout(max_parallel), audience).work(clusters)
    finally:
        close()
    outcomes = [replace(one, message=_first_problem(one), log=None) for one in found]
    click.echo(table(outcomes, GOOD["status"]))
    sys.exit(worst(outcomes))


def _first_problem(one: Outcome) -> str:
    """Why a cluster is not Ready, out of its status."""
    try:
        said = json.loads(one.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return one.message
    layers = [
        f"layers/{layer['name']}: {layer['reason'] or 'waiting'}"
        for layer in said.get("layers", [])
        if not layer["ready"]
    ]
    stacks = [f"{stack['name']} is not applied" for stack in said.get("stacks", []) if not stack["applied"]]
    return next(iter([*stacks, *filter(None, [said.get("error")]), *layers]), one.message)


def _finish(options: Options, good: str, outcomes: Sequence[Outcome], *, drawn: bool = False) -> None:
    if options.output == "json":
        for one in outcomes:
            if one.code < 0:
                _tell_outcome(one)
    else:
        click.echo(table(outcomes, good, drawn=drawn), err=True)
    sys.exit(worst(outcomes))


def table(outcomes: Sequence[Outcome], good: str, *, drawn: bool = False) -> str:
    """One line a cluster, with log and next command for those that failed, then how many are `good`.

    Those that are good are left out where they have been `drawn` just above.
    """
    width = max((len(one.cluster) for one in outcomes), default=0)
    lines: list[str] = []
    for one in outcomes:
        if drawn and one.code == 0:
            continue
        sign = "✔" if one.code == 0 else "·" if one.code < 0 else "✘"
        lines.append(f" {sign} {one.cluster:<{width}}  {_words(one, good)}")
        if one.code > 0:
            facts = (("log", shown(one.log) if one.log else ""), ("Hint", clean(one.hint)))
            lines += [f"   {'':<{width}}  {name:<4}  {text}" for name, text in facts if text]
    count = sum(one.code == 0 for one in outcomes)
    return "\n".join([*lines, f"{count} of {len(outcomes)} {good}"])


def _words(one: Outcome, good: str) -> str:
    if one.code == 0:
        return good
    code = f"exit {one.code}: " if one.code > 0 else ""
    return f"{code}{clean(one.message)}"


def _audience(
    options: Options, command: str, clusters: Sequence[str], *, stays: bool = True
) -> tuple[Audience, Callable[[], None]]:
    if options.output == "json":
        return _Json(), lambda: None
    if sys.stderr.isatty():
        from blackstart.report.fleet import FleetTable

        drawn = FleetTable(command, clusters, stays=stays)
        return _Drawn(drawn, GOOD[command]), drawn.close
    return _Plain(), lambda: None


@dataclass(frozen=True, slots=True)
class _Drawn:
    """On a terminal: the live table."""

    table: FleetTable
    good: str

    def begun(self, cluster: str) -> None:
        self.table.begun(cluster)

    def told(self, cluster: str, event: dict[str, object]) -> None:
        if event.get("event") == "step":
            self.table.says(cluster, f"{event['step']}  {event['reason']}")

    def ended(self, outcome: Outcome) -> None:
        text = f"exit {outcome.code}: {outcome.message}" if outcome.code else self.good
        self.table.ended(outcome.cluster, outcome.code, text)


class _Plain:
    """In CI: one line an event, with the cluster in front."""

    def begun(self, cluster: str) -> None:
        pass

    def told(self, cluster: str, event: dict[str, object]) -> None:
        if event.get("event") == "step" and event.get("status") != "started":
            click.echo(f"{cluster:<16} {event['step']} {event['status']} {event['reason']}".rstrip(), err=True)

    def ended(self, outcome: Outcome) -> None:
        pass


class _Json:
    """NDJSON on stdout: each line of each cluster with its name in front, at last how each ended."""

    def begun(self, cluster: str) -> None:
        pass

    def told(self, cluster: str, event: dict[str, object]) -> None:
        click.echo(json.dumps({"cluster": cluster, **event}))

    def ended(self, outcome: Outcome) -> None:
        _tell_outcome(outcome)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answer of each cluster, whole, as soon as it is there."""

    command: str

    def begun(self, cluster: str) -> None:
        pass

    def told(self, cluster: str, event: dict[str, object]) -> None:
        pass

    def ended(self, outcome: Outcome) -> None:
        if outcome.stdout.strip():
            head = f"── {outcome.cluster} " if self.command == "plan" else ""
            click.echo("\n".join(filter(None, (head, outcome.stdout.rstrip(), " "))).rstrip(" "))


def _tell_outcome(one: Outcome) -> None:
    told = {"cluster": one.cluster, "event": "outcome", "code": one.code, "reason": one.message, "hint": one.hint}
    click.echo(json.dumps(told))
