"""What a run leaves for people: its live view, its record on disk, and the reports made of it."""

from blackstart.report.record import Report, RunRecord, history, last, open_run
from blackstart.report.timeline import Span, Timeline, duration

__all__ = ["Report", "RunRecord", "Span", "Timeline", "duration", "history", "last", "open_run"]
