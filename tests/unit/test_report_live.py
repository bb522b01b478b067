"""The live view: what stands on the screen, and that the terminal is given back."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from blackstart.report.live import LiveSink
from tests.unit.sample_run import CONTROLLERS, FAILED, STAGES, UP, event, step


def screen(events: list, width: int = 90, height: int = 60) -> list[str]:
    sink = LiveSink(Console(file=io.StringIO(), width=width, height=height), refresh=False)
    for each in events:
        sink(each)
    with sink.console.capture() as capture:
        sink.console.print(sink.screen())
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def test_while_it_waits_each_release_says_why() -> None:
    lines = screen(STAGES)
    assert lines[0].startswith("blackstart up · local (embedded) · commit 4f2c1ab")
    assert lines[1].split() == ["✔", "cluster", "control", "plane", "v1.36.3,", "1", "node", "5.1s"]
    waits = next(line for line in lines if "HelmRelease/cilium" in line)
    assert waits.split()[1:] == ["HelmRelease/cilium", "install", "in", "progress", "0.2s"]
    assert lines[-1].split() == ["·", "apps", "after", "certs"]


def test_a_layer_does_not_repeat_what_its_release_says() -> None:
    said = "HelmRelease/cilium: install in progress"
    lines = screen([*STAGES, step(15.0, "layers/controllers", "waiting", said)])
    assert next(line for line in lines if " controllers " in line).split()[2:6] == ["0", "of", "3", "releases"]
    columns = {line.index("install") for line in lines if "install in progress" in line}
    assert len(columns) == 1


def test_a_finished_layer_is_one_line_that_counts_its_releases() -> None:
    text = "\n".join(screen([*STAGES, *CONTROLLERS]))
    assert "HelmRelease/cilium" not in text
    assert "controllers   3 releases" in text
    assert "ClusterIssuer/letsencrypt-staging: waiting for webhook" in text


def test_the_last_screen_has_every_stage_ready() -> None:
    lines = screen(UP)
    assert all(line.split()[0] == "✔" for line in lines[1:])
    assert lines[-1].split() == ["✔", "apps", "2", "releases", "6.2s"]


def test_with_nothing_to_change_only_the_header_stays() -> None:
    assert len(screen([*UP[:-1], event(29.2, "end", status="unchanged")])) == 1


def test_a_failure_keeps_its_objects_in_sight() -> None:
    text = "\n".join(screen(FAILED))
    assert "✘ layers" in text
    assert "HelmRelease/cilium" in text


@pytest.mark.parametrize("width", [30, 50, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = screen([*STAGES, *CONTROLLERS], width)
    assert max(map(len, lines)) <= width
    assert lines[1].endswith("5.1s")


def test_on_a_low_terminal_what_is_done_gives_way_to_what_goes_on() -> None:
    lines = screen(STAGES, height=13)
    assert [line.split()[1] for line in lines[1:4]] == ["flux", "layers", "controllers"]
    assert lines[-1].split()[1] == "apps"
    assert len(screen(UP, height=8)) == 8


def test_a_reason_can_not_steer_the_terminal() -> None:
    text = "\n".join(screen([step(1.0, "flux", "waiting", "a\x1b[2Jb\r\nc")]))
    assert "\x1b" not in text
    assert "a [2Jb c" in text


def tty(**environ: str) -> tuple[LiveSink, io.StringIO]:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=80, height=40, _environ={"TERM": "xterm-256color", **environ}
    )
    return LiveSink(console), stream


def test_ctrl_c_gives_the_terminal_back() -> None:
    sink, stream = tty()
    with pytest.raises(KeyboardInterrupt), sink:
        for each in STAGES:
            sink(each)
        assert stream.getvalue().count("\x1b[?25l") == 1
        raise KeyboardInterrupt
    assert stream.getvalue().count("\x1b[?25h") == 1
    sink.close()
    assert stream.getvalue().count("\x1b[?25h") == 1


def test_the_end_stops_the_drawing_and_the_screen_stays() -> None:
    sink, stream = tty()
    for each in UP:
        sink(each)
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")
    assert "2 releases" in stream.getvalue()


def test_no_color_is_honoured() -> None:
    coloured, plain = tty()[0], tty(NO_COLOR="1")[0]
    for sink in (coloured, plain):
        sink.timeline(step(1.0, "flux", "ready"))
    assert "\x1b[32m" in drawn(coloured)
    assert "\x1b[32m" not in drawn(plain)


def drawn(sink: LiveSink) -> str:
    with sink.console.capture() as capture:
        sink.console.print(sink.screen())
    return capture.get()


def test_a_warning_stands_above_the_screen() -> None:
    sink = LiveSink(Console(file=io.StringIO(), width=90), refresh=False)
    sink(event(0.1, "warning", reason="uncommitted changes are not deployed"))
    assert sink.console.file.getvalue() == " ! uncommitted changes are not deployed\n"
