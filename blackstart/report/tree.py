"""The last run for a terminal: a tree with bars on one time axis."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.report import drills
from blackstart.report.closing import counts
from blackstart.report.live import one_line
from blackstart.report.record import Report, timeline
from blackstart.report.timeline import Span, Timeline, duration

EIGHTHS = " ▏▎▍▌▋▊▉█"
SIGNS = {"ready": "✔", "failed": "✘", "skipped": "–", "pending": "·"}
LABEL = 36


def tree(report: Report, width: int = 80) -> str:
    """The run as lines of at most `width` columns: stages, layers, objects, each with its time and its bar."""
    run = timeline(report.folder)
    total = max(run.elapsed, 0.001)
    room = max(width - LABEL - 12, 8)
    lines = [title(report), ""]
    for depth, span in walk(run):
        name = f"{'  ' * depth}{SIGNS.get(span.status, '…')} {one_line(span.label)}"
        lines.append(
            f" {_cut(name, LABEL):<{LABEL}} {_time(span, run):>8} {_bar(span, run.elapsed, room / total)}".rstrip()
        )
        if span.status == "failed" and span.reason:
            lines.append(_cut(f" {'  ' * depth}  {one_line(span.reason)}", width))
    results = drills.read(report.folder)
    told = drills.summary(results, report.seconds).splitlines()[-1] if results else " · ".join(counts(report))
    lines += ["", f" verified  {told}"]
    return "\n".join([*lines, *(f" note      {one_line(note)}" for note in report.notes)])


def title(report: Report) -> str:
    """`up · local · commit 4f2c1ab · ready in 29.2s · 2026-11-24 00:08 UTC`."""
    when = report.started[:16].replace("T", " ")
    commit = [f"commit {report.commit[:7]}"] if report.commit else []
    ended = f"{report.outcome} {'in' if report.good else 'after'} {duration(report.seconds)}"
    return " · ".join([report.command, report.cluster, *commit, ended, f"{when} UTC"])


def walk(run: Timeline, step: str = "", depth: int = 0) -> Iterator[tuple[int, Span]]:
    """Every span below `step` with its depth, parents first."""
    for span in run.children(step):
        yield depth, span
        yield from walk(run, span.step, depth + 1)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _time(span: Span, run: Timeline) -> str:
    return "" if span.status in ("pending", "skipped") else duration(span.seconds(run.elapsed))


def _bar(span: Span, now: float, columns_per_second: float) -> str:
    """Eighths of a column; however short, a bar can be seen."""
    if span.status in ("pending", "skipped"):
        return ""
    begin = round(span.started * columns_per_second)
    full, part = divmod(round(span.seconds(now) * columns_per_second * 8), 8)
    return " " * begin + (EIGHTHS[8] * full + EIGHTHS[part].strip() or EIGHTHS[1])
