"""The drawings of the page, as inline SVG that stretches with its column."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from blackstart.report.live import one_line
from blackstart.report.record import Report
from blackstart.report.timeline import duration

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_TICKS = 5
LEAST_WIDTH = 0.6


def text(told: str) -> str:
    """Text for the page: escaped, without control characters."""
    return escape(one_line(told))


def ticks(total: float) -> list[float]:
    """Round times in seconds from 0 to `total`, at most six."""
    step = next((step for step in STEPS if total / step <= MOST_TICKS), max(total / MOST_TICKS, 0.1))
    return [round(index * step, 1) for index in range(int(total / step) + 1)]


def bar(start: float, seconds: float | None, total: float, label: str) -> str:
    """A track of `total` seconds, filled from `start` for `seconds` (None: not at all), however short."""
    scale = 100 / max(total, 0.001)
    width = min(max(seconds * scale, LEAST_WIDTH), 100) if seconds is not None else 0
    left = min(start * scale, 100 - width)
    fill = f'<rect class="fill" x="{left:.2f}" y="1" width="{width:.2f}" height="8"/>' if width else ""
    return (
        f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img"><title>{text(label)}</title>'
        f'<rect class="track" x="0" y="4.4" width="100" height="1.2"/>{fill}</svg>'
    )


def columns(runs: Sequence[Report]) -> str:
    """One column a run, as high as it took seconds; failed ones have their own colour."""
    tallest = max(max(run.seconds for run in runs), 0.001)
    pitch = 100 / max(len(runs), 12)
    drawn = "".join(_column(index, run, pitch, tallest) for index, run in enumerate(runs))
    return (
        '<svg class="history" viewBox="0 0 100 100" preserveAspectRatio="none" role="img">'
        f"<title>Seconds of {len(runs)} runs</title>"
        f'{drawn}<line class="base" x1="0" y1="100" x2="100" y2="100"/></svg>'
    )


def _column(index: int, run: Report, pitch: float, tallest: float) -> str:
    height = max(run.seconds / tallest * 96, 1)
    mood = "good" if run.good else "bad"
    told = f"{run.command} {run.started[:16]}: {run.outcome}, {duration(run.seconds)}"
    place = f'x="{index * pitch + pitch * 0.15:.2f}" y="{100 - height:.2f}" width="{pitch * 0.7:.2f}"'
    classes = text(f"{mood} {run.command}")
    return f'<rect class="{classes}" {place} height="{height:.2f}"><title>{text(told)}</title></rect>'
