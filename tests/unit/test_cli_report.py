"""`blackstart report`: data on stdout, files where they are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart.__main__ import run
from blackstart.config import Workspace
from tests.unit.sample_run import UP
from tests.unit.test_report_record import recorded


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_text_is_the_tree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(Workspace(here, "local"), UP)
    assert run(["report"]) == 0
    assert "✔ HelmRelease/cilium" in capsys.readouterr().out


def test_json_is_the_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = recorded(Workspace(here, "blue"), UP)
    assert run(["--cluster", "blue", "-o", "json", "report"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(report.path.read_text())


def test_files_are_written_and_stdout_stays_empty(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(Workspace(here, "local"), UP)
    assert run(["report", "--html", "a.html", "--svg", "a.svg", "--at", "15"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "written: a.html\nwritten: a.svg\n")
    assert Path("a.html").read_text().startswith("<!doctype html>")
    assert Path("a.svg").read_text().startswith("<svg")


def test_without_a_run_it_says_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report"]) == 2
    assert "Hint     blackstart up" in capsys.readouterr().err


def test_a_file_that_can_not_be_written_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(Workspace(here, "local"), UP)
    assert run(["report", "--html", "none/a.html"]) == 2
    assert "none/a.html can not be written" in capsys.readouterr().err
