"""The table and the file of `make bench`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as bench


def test_a_target_that_is_missed_is_marked() -> None:
    lines = bench.table({"up_over_limit": 1.25, "stock_over_up": 2.49, "help_seconds": 0.31, "up_seconds": 36})
    assert [line.split()[0] for line in lines.splitlines()] == ["✔", "✘", "✘", "up_seconds"]


def test_a_measure_that_is_taken_alone_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.json")
    bench.write({"help_seconds": 0.1, "noop_over_plan": 1.5})
    bench.write({"help_seconds": 0.2})
    found = json.loads((tmp_path / "results.json").read_text())
    assert (found["help_seconds"], found["noop_over_plan"]) == (0.2, 1.5)
