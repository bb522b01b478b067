"""The live table of a fleet on a terminal: one line a cluster, redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from blackstart.report.live import AROUND, FRAMES, WIDEST, one_line
from blackstart.report.timeline import duration


@dataclass(slots=True)
class Row:
    """How a cluster gets on: `code` None while it is worked on, `began` and `ended` in seconds of the clock."""

    text: str = ""
    began: float | None = None
    ended: float | None = None
    code: int | None = None


class FleetTable:
    """Draws until it is closed; the last table `stays`. `clock` gives seconds; without `refresh` nothing is drawn."""

    def __init__(
        self,
        title: str,
        clusters: Sequence[str],
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        refresh: bool = True,
        stays: bool = True,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._title = title
        self._rows = {name: Row() for name in clusters}
        self._clock = clock
        self._over = False
        self._live = Live(
            console=self.console,
            get_renderable=self.screen,
            refresh_per_second=8,
            redirect_stdout=False,
            transient=not stays,
        )
        if refresh:
            self._live.start()

    def begun(self, cluster: str) -> None:
        """Work on it begins."""
        self._rows[cluster].began = self._clock()

    def says(self, cluster: str, text: str) -> None:
        """What it does just now."""
        self._rows[cluster].text = text

    def ended(self, cluster: str, code: int, text: str) -> None:
        """Work on it is over; `code` -1: it was never begun."""
        row = self._rows[cluster]
        row.ended, row.code, row.text = self._clock(), code, text

    def close(self) -> None:
        """Draw everything for the last time, however low the terminal is."""
        self._over = True
        self._live.stop()

    def screen(self) -> RenderableType:
        """The whole table as it is now."""
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, justify="right")
        width = max((len(name) for name in self._rows), default=0)
        shown, left_out = self._fitting()
        for name in shown:
            table.add_row(*self._cells(name, width))
        table.width = min(WIDEST, self.console.width)
        more = [Text(f"   {left_out} more", style="dim")] if left_out else []
        return Group(self._header(), Text(), table, *more, Text())

    def _header(self) -> Text:
        good = sum(row.code == 0 for row in self._rows.values())
        bad = sum(row.code not in (0, None) for row in self._rows.values())
        failed = f" · {bad} failed" if bad else ""
        return Text.assemble(("blackstart ", "bold"), f"{self._title} · {good} of {len(self._rows)} done{failed}")

    def _fitting(self) -> tuple[list[str], int]:
        """What fits on the screen while it is worked on: what goes on and what failed before the rest."""
        names = list(self._rows)
        room = max(self.console.height - AROUND, 1)
        if self._over or len(names) <= room:
            return names, 0
        urgent = sorted(names, key=self._rank)[:room]
        return [name for name in names if name in urgent], len(names) - room

    def _rank(self, name: str) -> int:
        row = self._rows[name]
        if row.began is not None and row.ended is None:
            return 0
        return {None: 2, 0: 3}.get(row.code, 1)

    def _cells(self, name: str, width: int) -> tuple[Text, Text, Text]:
        row = self._rows[name]
        since = 0.0 if row.began is None else (row.ended if row.ended is not None else self._clock()) - row.began
        if row.code == 0:
            sign, style = "✔", "green"
        elif row.code == -1 or row.began is None:
            sign, style = "·", "dim"
        elif row.code is not None:
            sign, style = "✘", "bold red"
        else:
            sign, style = FRAMES[int(since * 8) % len(FRAMES)], "cyan"
        text = Text(one_line(row.text), style="red" if row.code not in (0, -1, None) else "")
        took = "" if row.began is None else duration(since)
        return Text(f" {sign} ", style=style) + Text(name.ljust(width)), text, Text(took, style="dim")
