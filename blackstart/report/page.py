"""The run as one self-contained page: no script, nothing loaded, everything escaped (decision 0023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import Template

from blackstart.report import drills
from blackstart.report.chart import bar, columns, text, ticks
from blackstart.report.closing import counts
from blackstart.report.record import Report, timeline
from blackstart.report.timeline import Span, Timeline, duration
from blackstart.report.tree import SIGNS, walk

LEVELS = ("stage", "layer", "object")
SHOWN_RUNS = 15
LAST_TICK = 0.96


def page(report: Report, runs: Sequence[Report]) -> str:
    """The HTML page of `report`, with the history of `runs` (the oldest first)."""
    run = timeline(report.folder)
    parts = {
        "title": text(f"{report.command} · {report.cluster} · {report.outcome}"),
        "heading": text(run.header or f"{report.command} · {report.cluster}"),
        "mood": "" if report.good else "bad",
        "outcome": text(f"{report.outcome} {'in' if report.good else 'after'} {duration(report.seconds)}"),
        "facts": text(" · ".join(_facts(report))),
        "tiles": "".join(map(_tile, _numbers(report))),
        "gantt": _axis(run.elapsed) + "".join(_row(depth, span, run) for depth, span in walk(run)),
        "results": _results(drills.read(report.folder)),
        "notes": _notes(report.notes),
        "history": _history(runs),
        "footer": text(f"blackstart · run {report.folder.name} · {report.started} to {report.finished}"),
    }
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(parts)


def _facts(report: Report) -> list[str]:
    commit = [f"commit {report.commit[:12]}"] if report.commit else []
    return [*commit, f"{report.started[:16].replace('T', ' ')} UTC"]


def _numbers(report: Report) -> list[str]:
    results = drills.read(report.folder)
    if results:
        passed = sum(result.passed for result in results)
        worst = max((result.recovered_seconds or 0.0 for result in results), default=0.0)
        told = [f"{passed} passed", f"{len(results) - passed} failed", f"{duration(worst)} worst recovery"]
        return [f"{duration(report.seconds)} in all", *told]
    layers, releases, secrets = counts(report)
    return [f"{duration(report.seconds)} in all", f"{layers} verified", releases, f"{secrets} verified"]


def _tile(told: str) -> str:
    number, _, noun = told.partition(" ")
    return f"<li><b>{text(number)}</b>{text(noun)}</li>"


def _axis(total: float) -> str:
    shown = [at for at in ticks(total) if at <= total * LAST_TICK]
    marks = "".join(f'<span style="left:{at / (total or 1) * 100:.2f}%">{duration(at)}</span>' for at in shown)
    return f'<div class="row axis"><div class="name"></div><div class="chart scale">{marks}</div></div>'


def _row(depth: int, span: Span, run: Timeline) -> str:
    classes = [LEVELS[min(depth, 2)], "failed" if span.status == "failed" else "open" if span.open else ""]
    quiet = span.status in ("pending", "skipped")
    seconds = span.seconds(run.elapsed)
    drawn = bar(
        span.started, None if quiet else seconds, run.elapsed, f"{span.label}: {span.status}, {duration(seconds)}"
    )
    why = span.reason if depth < 2 or span.status == "failed" else ""
    return (
        f'<div class="row {" ".join(filter(None, classes))}">'
        f'<div class="name">{SIGNS.get(span.status, "…")} {text(span.label)}</div>'
        f'<div class="chart">{drawn}</div>'
        f'<div class="time">{"" if quiet else duration(seconds)}</div>'
        + (f'<div class="why">{text(why)}</div>' if why else "")
        + "</div>"
    )


def _results(results: Sequence[drills.DrillResult]) -> str:
    """The table of a drill's scenarios; nothing when the run was no drill."""
    if not results:
        return ""
    rows = "".join(map(_result_row, results))
    passed = f"{sum(result.passed for result in results)} of {len(results)} passed"
    head = '<tr><th>Scenario<th>Result<th class="number">Recovered<th class="number wide">Time</tr>'
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return f'<h2>Drills: {passed}</h2><section class="card"><div class="scroll drills">{table}</div></section>'


def _result_row(result: drills.DrillResult) -> str:
    mood = "" if result.passed else "bad"
    recovered = "" if result.recovered_seconds is None else duration(result.recovered_seconds)
    return (
        f"<tr><td>{'✔' if result.passed else '✘'} {text(result.scenario)}"
        f'<td class="said {mood}">{text(result.message)}'
        f'<td class="number">{recovered}<td class="number wide">{duration(result.seconds)}</tr>'
    )


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{text(note)}</li>" for note in notes)
    return f'<h2>Notes</h2><section class="card"><ul class="notes">{items}</ul></section>' if notes else ""


def _history(runs: Sequence[Report]) -> str:
    recoveries = [_recovery(run) for run in runs if run.command in ("recover", "drill", "up")]
    if not recoveries:
        return '<p class="legend">No run of up, recover or drill is stored yet.</p>'
    slowest = max(run.seconds for run in recoveries)
    legend = (
        "Each up and recover, and the worst recovery of each drill; the newest at the right, "
        f"the longest took {duration(slowest)}. Red: it failed."
    )
    rows = "".join(_table_row(run) for run in reversed(runs[-SHOWN_RUNS:]))
    head = '<tr><th>When (UTC)<th>Command<th class="wide">Commit<th>Outcome<th class="number">Time</tr>'
    return (
        f'{columns(recoveries)}<p class="legend">{text(legend)}</p>'
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    )


def _recovery(run: Report) -> Report:
    """A drill counts with its worst recovery, not with the time of all its scenarios."""
    times = [result.recovered_seconds for result in drills.read(run.folder) if result.recovered_seconds is not None]
    return replace(run, seconds=max(times)) if times else run


def _table_row(run: Report) -> str:
    mood = "" if run.good else ' class="bad"'
    when = run.started[:16].replace("T", " ")
    cells = f'<td>{text(when)}<td>{text(run.command)}<td class="wide">{text(run.commit[:7])}'
    return f'<tr>{cells}<td{mood}>{text(run.outcome)}<td class="number">{duration(run.seconds)}</tr>'
