"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from blackstart.tools import process

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each desk's commands compile its modules once
settings.register_profile("no clock", deadline=None)  # a busy machine is not a defect
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens anew instead of comparing")


@pytest.fixture(autouse=True)
def hidden_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test hides from the output stays readable in the next: a random word may be `true`."""
    monkeypatch.setattr(process, "_secrets", set())


ON_CLUSTERS = ("drills", "cluster", "hcp", "k3s", "secrecy", "cdktf")  # the longest first


SHARED = ("ready: Desk", "events: Events")
"""How tests ask for the cluster of a session: one that is Ready, one on "hosts" over SSH."""
LONGEST_NAME = 32
ROOT = Path(__file__).parents[1]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values get their argument's name: keys have no place in a log, and random ones differ between workers."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


class ByFile(LoadScopeScheduling):
    """A file's tests stay with one worker, and so do all that share one cluster (decision 0035)."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        text = (ROOT / file).read_text()
        return next((fixture for fixture in SHARED if fixture in text), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """In the order of pytest_collection_modifyitems."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start clusters come last and get a second try, which is printed as RERUN (decision 0026)."""
    here = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return ON_CLUSTERS.index(folder) if folder in ON_CLUSTERS else -1

    for item in items:
        if turn(item) >= 0:
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that needed its second try: it is to be looked into."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"RERUN {report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")
