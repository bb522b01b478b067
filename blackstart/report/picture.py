"""A picture of the live view, made by replaying a recorded run (for the README)."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.text import Text

from blackstart.report.closing import closing
from blackstart.report.live import LiveSink
from blackstart.report.record import Report, events

WIDTH = 92
FONT_FACES = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def picture(report: Report, at: float | None = None) -> str:
    """The screen `at` seconds into the run, or its last one, as SVG that loads nothing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    sink = LiveSink(console, refresh=False)
    console.print(Text(f"$ blackstart {report.command}\n"))
    for event in events(report.folder):
        if at is None or event.elapsed <= at:
            sink(event)
    sink.timeline.elapsed = sink.timeline.elapsed if at is None else at
    console.print(sink.screen())
    if at is None and report.good:
        console.print(Text(closing(report)))
    return FONT_FACES.sub("", console.export_svg(title=f"blackstart {report.command}"))
