"""`blackstart drill`."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from blackstart.cli.options import Options
from blackstart.cli.running import one_cluster, tell_simulated
from blackstart.drill.bed import lay
from blackstart.drill.carry_out import Drill, log_path
from blackstart.drill.scenario import Scenario, chosen, scenarios
from blackstart.progress import PlainSink, Progress, Sink
from blackstart.report.drills import DrillResult, line, summary, write
from blackstart.report.junit import write_junit
from blackstart.report.record import open_run
from blackstart.tools.process import redact

DEFAULT = ("cluster-lost",)
FAILED = 6


@click.command()
@click.option("--scenario", "names", multiple=True, help="Which disaster; may be given again; all for every one.")
@click.option("--list", "listing", is_flag=True, help="List the scenarios.")
@click.option("--ref", default="HEAD", help="The commit to rehearse.")
@click.option("--seed", default=1, show_default=True, help="For what is random in a scenario.")
@click.option("--repeat", default=0, help="So many seeds of each scenario, instead of its own number.")
@click.option("--keep", is_flag=True, help="Leave the throwaway cluster as it is at the end.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), default=Path("drill.xml"), show_default=True)
@click.pass_obj
def drill(options: Options, /, names: tuple[str, ...], listing: bool, junit: Path, **rest: object) -> None:
    """Break a throwaway cluster on purpose, recover it, prove the result."""
    if listing:
        for scenario in scenarios().values():
            click.echo(f"{scenario.name:<24} {_expected(scenario)}")
        return
    picked = _repeated(chosen(names or DEFAULT), int(str(rest["repeat"])))
    results = _rehearse(options, picked, {**rest, "junit": junit})
    write_junit(options.root / junit, results)
    sys.exit(0 if all(result.passed for result in results) else FAILED)


def _rehearse(options: Options, picked: list[Scenario], rest: dict[str, object]) -> list[DrillResult]:
    ws, _ = one_cluster(options)
    ws.make()
    record = open_run(ws, "drill", redact=redact)
    progress = Progress(record, _notes(PlainSink()))
    stages = Stages(progress)
    began = time.monotonic()
    progress.tell("begin", reason=f"drill · {ws.cluster} · {len(picked)} scenarios")
    bed = lay(options.root, ws.cluster, str(rest["ref"]), log_path(record.folder))
    results: list[DrillResult] = []
    try:
        each = Drill(bed, int(str(rest["seed"])), stages.begin, lambda one: _tell(options, stages, one))
        results = each.play(picked)
    finally:
        notes = tell_simulated(bed.ws, progress)
        if rest["keep"]:
            progress.note(f"kept: {bed.repository}")
        else:
            bed.remove()
        good = bool(results) and all(result.passed for result in results)
        stages.end("ready" if good else "failed")
        write(record.folder, results)
        record.finish("passed" if good else "failed", bed.commit.sha, notes=notes)
    told = summary(results, time.monotonic() - began, str(rest["junit"])).splitlines()[-1]
    click.echo(told, err=options.output == "json")
    return results


@dataclass(slots=True)
class Stages:
    """Makes a span of each scenario, and of bringing the cluster up, for the report."""

    progress: Progress
    current: str = ""

    def begin(self, label: str) -> None:
        """Something begins; what went on before is done."""
        self.end("ready")
        self.progress.note(label)
        self.progress.tell("step", label, "started")
        self.current = label

    def end(self, status: str, reason: str = "") -> None:
        """What goes on has ended."""
        if self.current:
            self.progress.tell("step", self.current, status, reason)
        self.current = ""


def _notes(plain: Sink) -> Sink:
    """The plain lines without the steps: each result is printed on its own."""
    return lambda event: None if event.event == "step" else plain(event)


def _tell(options: Options, stages: Stages, result: DrillResult) -> None:
    stages.end("ready" if result.passed else "failed", result.message)
    click.echo(json.dumps(result.to_json()) if options.output == "json" else line(result))


def _repeated(picked: list[Scenario], repeat: int) -> list[Scenario]:
    from dataclasses import replace

    return [replace(scenario, seeds=repeat) for scenario in picked] if repeat else picked


def _expected(scenario: Scenario) -> str:
    how = "recovers" if scenario.exit_code == 0 else f"exit {scenario.exit_code}"
    return f"{how}, marker {scenario.marker}"
