"""Carries out a recipe: takes the lock, opens the record, tells the progress, closes with a report."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from blackstart.cli.options import Options
from blackstart.config import ClusterConfig, Workspace, load
from blackstart.embedded.place import Place
from blackstart.embedded.simulated import sentences
from blackstart.errors import BlackstartError, Interrupted
from blackstart.lock import locked
from blackstart.progress import Event, JsonSink, PlainSink, Progress, Sink
from blackstart.report.closing import closing
from blackstart.report.drills import LIMITS
from blackstart.report.record import Report, RunRecord, open_run
from blackstart.steps import Step, execute
from blackstart.steps.layers import WaitLayers
from blackstart.steps.prepare import PinCommit
from blackstart.steps.run import Run
from blackstart.tools.process import redact

Recipe = Callable[[ClusterConfig], Iterable[Step]]


def one_cluster(options: Options) -> tuple[Workspace, ClusterConfig]:
    """The one cluster that a command is about. Raises UsageError for many."""
    if len(options.clusters) != 1:
        raise click.UsageError("this command is about one cluster: give --cluster once")
    name = options.clusters[0]
    return Workspace(options.root, name), load(options.root, name)


def carry_out(options: Options, command: str, recipe: Recipe, *, ref: str = "HEAD", sink: Sink | None = None) -> Report:
    """Run a recipe over one cluster. Raises the BlackstartError that ended it, after its report is written."""
    ws, config = one_cluster(options)
    with locked(ws, command):
        record = open_run(ws, command, redact=redact)
        progress = Progress(record, sink or sink_of(options))
        run = Run(ws, config, progress, record.folder, ref=ref, cancel_run=ask_to_cancel)
        progress.tell("begin", reason=f"{command} · {ws.cluster} ({config.provider})")
        report = _to_its_end(run, record, recipe)
    if options.output == "text":
        words = f"{ws.cluster} is gone." if command == "down" else closing(report, stacks=len(run.manifest.stacks))
        click.echo("\n".join([words, *run.notes]), err=True)
    return report


def _to_its_end(run: Run, record: RunRecord, recipe: Recipe) -> Report:
    try:
        execute(recipe(run.config), run)
    except KeyboardInterrupt:
        _finish(run, record, "interrupted")
        raise Interrupted("interrupted; what was done is kept", hint="go on with: blackstart up") from None
    except BlackstartError as error:
        _finish(run, record, "interrupted" if error.exit_code == Interrupted.exit_code else "failed")
        raise
    return _finish(run, record, "ready" if run.changed else "unchanged")


def _finish(run: Run, record: RunRecord, outcome: str) -> Report:
    if run.tree is not None:
        shutil.rmtree(run.tree, ignore_errors=True)
    notes = list(run.notes)
    if run.config.provider == "embedded" and record.command != "down":
        notes += tell_simulated(run.ws, run.progress)
    run.progress.tell("end", status=outcome)
    commit = run.found_commit.sha if run.found_commit else ""
    layers = len(run.layers) if outcome in ("ready", "unchanged") else 0
    return record.finish(outcome, commit, {"layers": layers, "secrets": run.secrets if layers else 0}, notes)


def tell_simulated(ws: Workspace, progress: Progress) -> list[str]:
    """Warn of what an embedded cluster let pass; returns what its report says besides (issue 6)."""
    file = Place(ws).simulated
    for sentence in sentences(file, aloud=True):
        progress.warning(sentence)
    return [*sentences(file, aloud=False), LIMITS]


def ask_to_cancel(link: str) -> bool:
    """After a Ctrl-C: whether to cancel the remote run; where nobody can be asked it is left alone."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        return click.confirm(f"Cancel the run {link} too?", default=False, err=True)
    except click.Abort:
        return False


def sink_of(options: Options) -> Sink:
    """Who tells the progress: JSON, the live view on a terminal, else one line an event."""
    if options.output == "json":
        return JsonSink()
    if sys.stderr.isatty():
        from blackstart.report.live import LiveSink

        return LiveSink()
    return PlainSink()


def quiet_sink() -> Sink:
    """For commands whose answer is what counts: only warnings are told."""
    plain = PlainSink()

    def sink(event: Event) -> None:
        if event.event == "warning":
            plain(event)

    return sink


def hold_gates(options: Options) -> None:
    """Wait until every layer is Ready at the commit that should be deployed (`status --wait`); applies nothing."""
    ws, config = one_cluster(options)
    with tempfile.TemporaryDirectory(prefix="blackstart-status-") as folder:
        run = Run(ws, config, Progress(sink_of(options)), Path(folder))
        try:
            execute([PinCommit(), WaitLayers()], run)
        finally:
            if run.tree is not None:
                shutil.rmtree(run.tree, ignore_errors=True)
