"""Drill results: the table, the file, the JUnit XML."""

from __future__ import annotations

import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blackstart.report import drills
from blackstart.report.drills import DrillResult, summary
from blackstart.report.junit import write_junit

RESULTS = [
    DrillResult("cluster-lost", True, 41.0, 19.8, "marker gone as expected"),
    DrillResult("api-hang", True, 3.0, None, "refused (exit 8), nothing changed"),
    DrillResult("run-killed seed=17", False, 90.0, None, "layers not Ready:\x1b <certs> & more", "logs/17.log"),
]


def test_the_table_is_as_a_person_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert summary(RESULTS, 1082.0, "drill.xml").splitlines() == [
        " ✔ cluster-lost            recovered in 19.8s   marker gone as expected",
        " ✔ api-hang                refused (exit 8), nothing changed   3.0s",
        " ✘ run-killed seed=17      layers not Ready: <certs> & more   log logs/17.log",
        "2 of 3 passed · worst recovery 19.8s · 18m2s · junit drill.xml",
    ]


def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = drills.write(tmp_path, RESULTS)
    assert drills.read(tmp_path) == RESULTS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert drills.read(tmp_path / "none") == []


def test_junit_counts_times_and_explains(tmp_path: Path) -> None:
    write_junit(tmp_path / "out" / "drill.xml", RESULTS)
    suite = ElementTree.parse(tmp_path / "out" / "drill.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("3", "1", "134.000")
    lost, hang, killed = suite
    assert (lost.get("name"), lost.get("time")) == ("cluster-lost", "41.000")
    recovered = lost.find("properties/property")
    assert recovered is not None
    assert recovered.get("value") == "19.800"
    assert hang.find("failure") is None
    failure = killed.find("failure")
    assert failure is not None
    assert failure.get("message") == "layers not Ready: <certs> & more"
    assert failure.text == "layers not Ready: <certs> & more\nlog: logs/17.log"
