"""The last lines of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.config import Workspace
from blackstart.report.closing import closing
from tests.unit.sample_run import UP
from tests.unit.test_report_record import recorded


def test_a_run_that_built_something_says_what_and_what_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = recorded(Workspace(tmp_path, "local"), UP)
    path = f".blackstart/local/runs/{report.folder.name}/report.json"
    assert closing(report).splitlines() == [
        f"Ready in 29.2s · 3 layers · 5 releases · 7 secrets decrypted · report {path}",
        " kubectl:  export KUBECONFIG=$(blackstart kubeconfig --path)",
        " again:    blackstart status      break it on purpose:  blackstart drill",
    ]


def test_a_run_with_nothing_to_do_says_so(tmp_path: Path) -> None:
    report = recorded(Workspace(tmp_path, "local"), [], outcome="unchanged")
    assert closing(report) == "Ready, nothing to change (checked 3 stacks, 3 layers, 7 secrets in 29.2s)."


def test_another_cluster_is_named_in_the_commands(tmp_path: Path) -> None:
    assert "blackstart --cluster blue status" in closing(recorded(Workspace(tmp_path, "blue"), UP))
