"""One Ready cluster for all tests that leave it Ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, lay


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose cluster `up` has brought to Ready; who breaks it brings it back."""
    desk = lay(tmp_path_factory.mktemp("ready"))
    try:
        desk.good("up")
        yield desk
    finally:
        desk.remove_cluster()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk without a cluster; one that the test makes is removed."""
    made = lay(tmp_path)
    try:
        yield made
    finally:
        made.remove_cluster()
