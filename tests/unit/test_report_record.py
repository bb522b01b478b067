"""The record on disk: exact fields, private files, nothing lost by a kill or a full disk."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest

from blackstart.config import Workspace
from blackstart.errors import ToolFailed
from blackstart.report import history, last, open_run
from blackstart.report.record import KEPT, events
from tests.unit.sample_run import BEGAN, STAGES, UP, event


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "local")


def recorded(ws: Workspace, happened: list, outcome: str = "ready"):
    record = open_run(ws, "up", clock=iter([BEGAN, BEGAN + 29.25]).__next__)
    for each in happened:
        record(each)
    return record.finish(outcome, "4f2c1ab", {"layers": 3, "secrets": 7})


def test_report_json_has_the_fields_of_the_design(ws: Workspace) -> None:
    report = recorded(ws, UP)
    content = json.loads(report.path.read_text())
    assert {name: content[name] for name in ("command", "cluster", "commit", "seconds", "outcome", "verified")} == {
        "command": "up",
        "cluster": "local",
        "commit": "4f2c1ab",
        "seconds": 29.25,
        "outcome": "ready",
        "verified": {"layers": 3, "secrets": 7},
    }
    assert content["started"] == "2026-11-24T00:08:00.000Z"
    assert content["finished"] == "2026-11-24T00:08:29.250Z"
    assert content["phases"][1] == {
        "name": "sops-age",
        "started": "2026-11-24T00:08:05.100Z",
        "seconds": 2.0,
        "outcome": "ready",
    }
    assert [phase["name"] for phase in content["phases"]] == ["cluster", "sops-age", "flux", "layers"]
    assert content["notes"] == ["the builtin providers put the key into the state (embedded only)"]


def test_files_and_folders_are_private(ws: Workspace) -> None:
    report = recorded(ws, UP)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [report.folder, *report.folder.iterdir()]}
    assert modes == {report.folder.name: 0o700, "events.jsonl": 0o600, "report.json": 0o600, "logs": 0o700}


def test_a_report_is_read_back_as_it_was_written(ws: Workspace) -> None:
    report = recorded(ws, UP)
    assert last(ws) == report
    assert list(events(report.folder)) == UP


def test_a_killed_run_is_told_from_its_events(ws: Workspace) -> None:
    record = open_run(ws, "up")
    for each in STAGES:
        record(each)
    with (record.folder / "events.jsonl").open("a") as file:
        file.write('{"ts": 1, "event": "st')
    read = last(ws)
    assert read is not None
    assert (read.command, read.outcome, read.seconds) == ("up", "unfinished", 14.4)
    assert read.phases[-1].name == "layers"


def test_a_damaged_report_falls_back_to_its_events(ws: Workspace) -> None:
    report = recorded(ws, UP)
    report.path.write_text('{"command": "up"')
    read = last(ws)
    assert read is not None
    assert read.outcome == "unfinished"


def test_what_is_hidden_never_reaches_the_disk(ws: Workspace) -> None:
    record = open_run(ws, "up", redact=lambda text: text.replace("hunter2", "***"))
    record(event(0.1, "warning", reason="password hunter2"))
    report = record.finish("failed", "", notes=["hunter2 again"])
    written = "".join(path.read_text() for path in report.folder.iterdir() if path.is_file())
    assert "hunter2" not in written
    assert written.count("***") == 3


def test_a_hidden_word_that_json_needs_leaves_json(ws: Workspace) -> None:
    record = open_run(ws, "up", redact=lambda text: text.replace('ts":', "***").replace("secret", "***"))
    record(event(0.1, "note", "layers", reason="a secret"))
    (told,) = events(record.folder)
    assert told.reason == "a ***"


def test_the_newest_runs_are_kept(ws: Workspace) -> None:
    for index in range(KEPT + 3):
        open_run(ws, "up", clock=lambda: BEGAN + index // 2).finish("ready", "")  # noqa: B023
    kept = [report.folder.name for report in history(ws)]
    assert len(kept) == KEPT + 1
    assert kept == sorted(kept)
    assert kept[-1].startswith("20261124-000826")


def test_a_full_disk_costs_the_record_and_not_the_run(ws: Workspace) -> None:
    record = open_run(ws, "up")
    record._file = io.TextIOWrapper(Full(), write_through=True)
    record(UP[0])
    record._file = io.StringIO()
    assert record.finish("ready", "").notes == ("events are missing: the disk was full",)


def test_a_report_that_can_not_be_written_is_said(ws: Workspace) -> None:
    record = open_run(ws, "up")
    (record.folder / "report.json").mkdir()
    with pytest.raises(ToolFailed, match="can not be written"):
        record.finish("ready", "")


class Full(io.RawIOBase):
    """A file on a disk without space."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")
