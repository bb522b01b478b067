"""The live view on a terminal: one screen, redrawn in place (screens.md)."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from blackstart.progress import Event
from blackstart.report.timeline import Span, Timeline, duration, parent_of

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SIGNS = {"ready": ("✔", "green"), "failed": ("✘", "bold red"), "skipped": ("–", "dim"), "pending": ("·", "dim")}
WIDEST = 110
NAME_WIDTH = 13
AROUND = 5


class LiveSink:
    """Draws the run while it goes on. Use it as a context manager: it gives the terminal back, Ctrl-C or not
    (without `with`: at `end`, at the latest when the program exits).

    `clock` gives seconds; `refresh=False` draws nothing by itself (tests, replays).
    """

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic, refresh: bool = True
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.timeline = Timeline()
        self._clock = clock
        self._heard = clock()
        self._lock = threading.Lock()
        self._refresh = refresh
        self._live: Live | None = None

    def __enter__(self) -> LiveSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        """Take one event in; the first begins to draw, `end` draws for the last time."""
        with self._lock:
            self.timeline(event)
            self._heard = self._clock()
        if event.event in ("note", "warning"):
            self._say(event)
        if event.event == "end":
            self.close()
        elif self._live is None and event.event in ("begin", "step") and self._refresh:
            self._live = Live(
                console=self.console,
                get_renderable=self.screen,
                refresh_per_second=10,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            atexit.register(self.close)

    def close(self) -> None:
        """Stop drawing; the last screen stays. Does nothing the second time."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            atexit.unregister(self.close)

    def screen(self) -> RenderableType:
        """The whole view as it is now."""
        with self._lock:
            now = self._now()
            table = Table.grid(padding=(0, 1), expand=True)
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            table.add_column(no_wrap=True, justify="right")
            for depth, span in self._fitting(list(self._visible())):
                table.add_row(self._line(depth, span, now), Text(self._time(span, now), style="dim"))
            header = Text.assemble(("blackstart ", "bold"), self.timeline.header, no_wrap=True, overflow="ellipsis")
        table.width = min(WIDEST, self.console.width)
        return Group(header, Text(), table, Text())

    def _now(self) -> float:
        since = 0.0 if self.timeline.outcome or not self._refresh else self._clock() - self._heard
        return self.timeline.elapsed + since

    def _visible(self) -> Iterator[tuple[int, Span]]:
        """Stages and layers always; the objects of a layer while they are not Ready; nothing if nothing changed."""
        if self.timeline.outcome == "unchanged":
            return
        for stage in self.timeline.children():
            yield 0, stage
            for layer in self.timeline.children(stage.step):
                yield 1, layer
                if not layer.open and layer.status != "failed":
                    continue
                yield from ((2, item) for item in self.timeline.children(layer.step) if item.status != "ready")

    def _fitting(self, rows: list[tuple[int, Span]]) -> list[tuple[int, Span]]:
        """While it runs, a low terminal shows what goes on: the oldest of what is done gives way."""
        excess = 0 if self.timeline.outcome else len(rows) - max(self.console.height - AROUND, 1)
        done = [row for row in rows if not row[1].open][: max(excess, 0)]
        return [row for row in rows if row not in done]

    def _line(self, depth: int, span: Span, now: float) -> Text:
        frame = FRAMES[int(now * 10) % len(FRAMES)]
        sign, style = SIGNS.get(span.status, (frame, "cyan"))
        name = span.label.ljust(self._name_width(depth, span))
        line = Text(" " + "  " * depth)
        line.append(sign, style=style).append(f" {name} ", style="bold" if depth == 0 else "")
        reason = "" if self._said_below(span) else span.reason
        return line.append(one_line(reason or self._summary(span)), style="red" if span.status == "failed" else "")

    def _name_width(self, depth: int, span: Span) -> int:
        if depth < 2:
            return NAME_WIDTH
        return max(len(each.label) for each in self.timeline.children(parent_of(span.step)))

    def _said_below(self, span: Span) -> bool:
        """Whether the lines below say it already: a stage's layers, the release that a layer waits for."""
        below = self.timeline.children(span.step) if span.status == "waiting" else []
        return any("/" not in span.step or span.reason.startswith(each.label) for each in below)

    def _summary(self, span: Span) -> str:
        """What stands beside a layer that says nothing itself: how far its releases are."""
        count = self.timeline.releases(span.step + "/")
        if not count or span.step.count("/") != 1:
            return ""
        plural = "" if count == 1 else "s"
        done = sum(child.status == "ready" for child in self.timeline.children(span.step))
        return f"{done} of {count} release{plural}" if span.open else f"{count} release{plural}"

    def _time(self, span: Span, now: float) -> str:
        return "" if span.status in ("pending", "skipped") else duration(span.seconds(now))

    def _say(self, event: Event) -> None:
        style = "yellow" if event.event == "warning" else "dim"
        self.console.print(Text(f" ! {event.reason}" if style == "yellow" else f"   {event.reason}", style=style))


def one_line(text: str) -> str:
    """`text` on one line, without control characters: what a tool prints must not steer the terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
