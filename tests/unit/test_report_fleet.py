"""The live table of a fleet, drawn without a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from blackstart.report.fleet import FleetTable


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(table: FleetTable, height: int = 30) -> list[str]:
    """The screen as lines of text."""
    table.console = Console(file=io.StringIO(), width=80, height=height)
    with table.console.capture() as captured:
        table.console.print(table.screen())
    return [line.rstrip() for line in captured.get().splitlines()]


def made(*clusters: str) -> tuple[FleetTable, Clock]:
    clock = Clock()
    return FleetTable("up", clusters, clock=clock, refresh=False), clock


def test_each_cluster_has_a_line_with_what_it_does_and_for_how_long() -> None:
    table, clock = made("eu-1", "eu-2", "us-1")
    table.begun("eu-1")
    table.begun("eu-2")
    table.says("eu-2", "layers/certs  waiting for\x1b[31m webhook\n")
    clock.now = 12.5
    table.ended("eu-1", 0, "Ready")
    clock.now = 30
    lines = drawn(table)
    assert lines[0] == "blackstart up · 1 of 3 done"
    assert lines[2].split() == ["✔", "eu-1", "Ready", "12.5s"]
    assert lines[3].split()[1:] == ["eu-2", "layers/certs", "waiting", "for", "[31m", "webhook", "30.0s"]
    assert lines[4].split() == ["·", "us-1"]


def test_failures_are_counted_and_what_was_not_begun_is_not_one() -> None:
    table, _ = made("a", "b")
    table.begun("a")
    table.ended("a", 4, "exit 4: terraform")
    table.close()
    lines = drawn(table)
    assert lines[0].endswith("0 of 2 done · 1 failed")
    assert lines[2].split()[:3] == ["✘", "a", "exit"]


def test_a_low_terminal_shows_what_goes_on_and_what_failed() -> None:
    names = [f"c{number:02}" for number in range(40)]
    table, _ = made(*names)
    for name in names[:20]:
        table.begun(name)
        if name not in ("c05", "c19"):
            table.ended(name, 0 if name != "c02" else 4, "Ready")
    lines = drawn(table, height=10)
    assert len(lines) <= 10 and "35 more" in "\n".join(lines)
    shown = [line.split()[1] for line in lines[2:7]]
    assert {"c02", "c05", "c19"} <= set(shown) and shown == sorted(shown)
    table.close()
    assert len(drawn(table, height=10)) > 40
