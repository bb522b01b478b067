"""What a run tells: events, and where they go. Data goes to stdout elsewhere; progress goes to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from blackstart.errors import BlackstartError


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `ts` in seconds since the epoch, `elapsed` in seconds since the run began.

    `event` is begin, end, step, note, warning or output; `step` a path such as `layers/certs`; `status`
    started, waiting, ready, failed, skipped or blank.
    """

    ts: float
    event: str
    step: str
    status: str
    reason: str
    elapsed: float


Sink = Callable[[Event], None]


class Progress:
    """Tells each sink what happens; `clock` gives seconds."""

    def __init__(self, *sinks: Sink, clock: Callable[[], float] = time.monotonic) -> None:
        self._sinks = sinks
        self._clock = clock
        self._began = clock()
        self._told: dict[str, tuple[str, str]] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since this run began."""
        return self._clock() - self._began

    def tell(self, event: str, step: str = "", status: str = "", reason: str = "") -> None:
        """Tell all sinks of one event."""
        self._told[step] = (status, reason)
        happened = Event(time.time(), event, step, status, reason, round(self.elapsed, 3))
        for sink in self._sinks:
            sink(happened)

    def note(self, text: str) -> None:
        """A line for the operator."""
        self.tell("note", reason=text)

    def warning(self, text: str) -> None:
        """A line that the operator should not overlook."""
        self.tell("warning", reason=text)

    def waiting(self, step: str, reason: str) -> None:
        """`step` is not Ready yet, and why; the same again is no news."""
        if self._told.get(step) != ("waiting", reason):
            self.tell("step", step, "waiting", reason)

    def ready(self, step: str, reason: str = "") -> None:
        """`step` is Ready; `reason` says what was found."""
        self.tell("step", step, "ready", reason)

    @contextmanager
    def step(self, name: str) -> Iterator[StepNote]:
        """Tells that `name` starts, and at its end that it is ready or failed."""
        self.tell("step", name, "started")
        note, began = StepNote(), self.elapsed
        try:
            yield note
        except BlackstartError as error:
            self.tell("step", name, "failed", error.message)
            if not error.step:
                error.step, error.seconds = name, self.elapsed - began
            raise
        self.tell("step", name, "skipped" if note.skipped else "ready", note.text)


@dataclass(slots=True)
class StepNote:
    """What a step says when it is done."""

    text: str = ""
    skipped: bool = False


class PlainSink:
    """One line an event, for CI and pipes (screens.md)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: Event) -> None:
        if event.event == "step" and event.status == "started":
            return
        parts = [event.step, event.status, event.reason]
        if event.event in ("begin", "end", "warning"):
            parts.insert(0, event.event)
        minutes, seconds = divmod(event.elapsed, 60)
        line = f"{int(minutes):02d}:{seconds:04.1f} " + " ".join(part for part in parts if part)
        print(line, file=self._stream, flush=True)


class JsonSink:
    """NDJSON, one event a line, on stdout (design, section 4)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def __call__(self, event: Event) -> None:
        fields = ("ts", "event", "step", "status", "reason", "elapsed")
        self._stream.write(json.dumps({name: getattr(event, name) for name in fields}) + "\n")
        self._stream.flush()


class Recorder:
    """Keeps the events (for reports and tests)."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
