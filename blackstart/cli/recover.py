"""`blackstart recover`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from blackstart import recipes
from blackstart.cli.fleet import alone, look, rollout_options, selected, selection_options, work
from blackstart.cli.options import Options
from blackstart.cli.running import carry_out, quiet_sink, sink_of
from blackstart.config import ClusterConfig
from blackstart.errors import Interrupted, Unsafe
from blackstart.fleet import Rollout, Selection
from blackstart.progress import Event, Sink, StepNote
from blackstart.recovery.evidence import collect
from blackstart.recovery.show import evidence_lines, screen
from blackstart.recovery.source import ChooseSource
from blackstart.recovery.verdict import Verdict, decide
from blackstart.steps import Step
from blackstart.steps.k3s_snapshot import require_restorable
from blackstart.steps.run import Run


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Show evidence, verdict and plan, and stop.")
@click.option("--assume-lost", is_flag=True, help="Your word that the cluster is gone, where nothing proves it.")
@click.option("--skip-hook", "skipped", multiple=True, help="A data hook that is not to run (repeatable).")
@click.option(
    "--etcd-snapshot",
    "snapshot",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="k3s: begin again with this snapshot of etcd.",
)
@click.option("--ref", default="HEAD", help="The commit to deploy, when git.url is worktree.")
@selection_options
@rollout_options
@click.pass_obj
def recover(options: Options, /, ref: str, every: bool, match: str, more: tuple[str, ...], **rest: Any) -> None:
    """Reach the same end state from any starting point.

    Looks first, changing nothing, and shows evidence, verdict and plan; then asks. Exit code 8: refused, since nothing
    proves that the cluster is lost, or that it is yours (docs/recovery.md).
    """
    asked = {name: rest.pop(name) for name in ("yes", "dry_run", "assume_lost", "skipped", "snapshot")}
    chosen = selected(options, every, match, more)
    if chosen.is_fleet:
        _fleet(options, chosen, Rollout(**rest), ref, **asked)
    options = alone(options, more)
    try:
        recipe = Asked(options, **asked).recipe
        carry_out(options, "recover", recipe, ref=ref, sink=_sink(options, asked["dry_run"]))
    except Stop:
        return


def _fleet(options: Options, chosen: Selection, rollout: Rollout, ref: str, **asked: Any) -> None:
    """Nobody can be asked about each of many clusters: their plans are looked at first, then it takes --yes."""
    if asked["assume_lost"]:
        raise Unsafe(
            "--assume-lost is your word about one cluster", hint="give one --cluster, and look at its evidence"
        )
    if asked["snapshot"]:
        raise Unsafe("a snapshot is of one cluster", hint="give one --cluster with --etcd-snapshot")
    command = ["recover", *(word for name in asked["skipped"] for word in ("--skip-hook", name))]
    if asked["dry_run"]:
        look(options, [*command, "--ref", ref, "--dry-run"], chosen, rollout.max_parallel)
    if not asked["yes"]:
        raise Unsafe("many clusters are recovered without a question", hint="look at --dry-run first, then give --yes")
    work(options, [*command, "--yes"], chosen, rollout, ref=ref)


class Stop(Interrupted):
    """The plan was shown and that was all."""


@dataclass(slots=True)
class Asked:
    """What the operator wants of this recovery; the steps are known only when the evidence is in."""

    options: Options
    yes: bool
    dry_run: bool
    assume_lost: bool
    skipped: tuple[str, ...]
    snapshot: Path | None = None
    verdict: Verdict | None = None

    def recipe(self, config: ClusterConfig) -> Iterator[Step]:
        """Look first, then what the verdict asks for. A fallback of the source changes nothing in the list of steps."""
        yield ChooseSource()
        yield from recipes.prepare()
        yield Look(self)
        if self.dry_run:
            raise Stop("only shown")
        if self.verdict is not None:
            yield from self.steps(config, self.verdict)[len(recipes.prepare()) :]

    def steps(self, config: ClusterConfig, verdict: Verdict) -> list[Step]:
        """The whole recipe."""
        return recipes.recover(config, verdict, self.skipped, self.snapshot)


def _sink(options: Options, dry_run: bool) -> Sink:
    return quiet_sink() if dry_run and options.output == "text" else _Held(options)


class _Held:
    """Keeps the live view back until the plan has been shown and agreed to: it would draw over the question."""

    def __init__(self, options: Options) -> None:
        self._sink = sink_of(options)
        self._hold = options.output == "text" and sys.stderr.isatty()
        self._quiet = ("evidence", "verdict") if options.output == "text" else ()
        self._held: list[Event] = []

    def __call__(self, event: Event) -> None:
        if event.event in self._quiet:
            return
        self._held.append(event)
        if self._hold and not (event.step == "evidence" and event.status == "ready"):
            return
        self._hold = False
        for held in self._held:
            self._sink(held)
        self._held = []


@dataclass(frozen=True, slots=True)
class Look:
    """Collect the evidence, decide, show the plan, ask."""

    asked: Asked
    name: str = "evidence"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises the refusal of the verdict; nothing has been changed by then."""
        asked = self.asked
        found = collect(run)
        verdict = decide(found, assume_lost=asked.assume_lost)
        for name, text in evidence_lines(found):
            run.progress.tell("evidence", name, reason=text)
        run.progress.tell("verdict", verdict.row, reason=verdict.text)
        title = f"blackstart recover · {run.ws.cluster} ({run.config.provider}) · commit {run.commit.short}\n\n"
        self._show(title + screen(found, verdict, asked.steps(run.config, verdict)))
        if verdict.refusal is not None:
            raise verdict.refusal
        if asked.snapshot:
            require_restorable(run, asked.snapshot, lost=verdict.lost)
        if not asked.yes and not asked.dry_run:
            self._ask()
        asked.verdict = verdict
        note.text = verdict.text

    def _show(self, text: str) -> None:
        if self.asked.options.output == "text":
            click.echo(text, err=not self.asked.dry_run)

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise Unsafe("nobody is here to say yes", hint="look at the plan, then: blackstart recover --yes")
        if not click.confirm("Continue?", err=True):
            raise Interrupted("nothing was changed", hint="blackstart recover --dry-run shows the plan again")
