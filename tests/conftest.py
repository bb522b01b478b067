"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from blackstart.tools import process

settings.register_profile("no clock", deadline=None)  # a busy machine is not a defect
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens anew instead of comparing")


@pytest.fixture(autouse=True)
def hidden_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test hides from the output stays readable in the next: a random word may be `true`."""
    monkeypatch.setattr(process, "_secrets", set())


ON_CLUSTERS = ("drills", "cluster", "hcp", "k3s", "secrecy", "cdktf")  # the longest first


LONGEST_NAME = 32


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values get their argument's name: keys have no place in a log, and random ones differ between workers."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start clusters come last and get a second try, which is printed as RERUN (decision 0026).

    A file's tests stay with one worker, and so do all that share the cluster `ready` (decision 0035).
    """
    here = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return ON_CLUSTERS.index(folder) if folder in ON_CLUSTERS else -1

    for item in items:
        shares = "ready" in getattr(item, "fixturenames", ()) and turn(item) >= 0
        item.add_marker(pytest.mark.xdist_group("ready" if shares else str(item.path.relative_to(here))))
        if turn(item) >= 0:
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that needed its second try: it is to be looked into."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"RERUN {report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")
