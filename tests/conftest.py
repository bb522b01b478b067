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


ON_CLUSTERS = {"cluster", "drills", "hcp", "k3s", "secrecy", "cdktf"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start clusters come last and get a second try, which is printed as RERUN (decision 0026)."""
    here = Path(__file__).parent

    def is_on_cluster(item: pytest.Item) -> bool:
        return item.path.relative_to(here).parts[0] in ON_CLUSTERS

    for item in filter(is_on_cluster, items):
        item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=is_on_cluster)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that needed its second try: it is to be looked into."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"RERUN {report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")
