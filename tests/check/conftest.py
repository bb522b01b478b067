from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.check import Finding
from blackstart.check.evidence import Evidence
from blackstart.check.gathering import Subject, gather
from blackstart.check.rules import judge
from blackstart.check.sealed import look_for_key
from blackstart.config import Workspace, load
from blackstart.tools.git import Git
from tests.check.repository import CLUSTER, Repository, good


@pytest.fixture(autouse=True)
def no_foreign_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SOPS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The good repository, made once."""
    return good(tmp_path_factory.mktemp("good") / "repository")


@pytest.fixture
def repository(template: Repository, tmp_path: Path) -> Iterator[Repository]:
    """A copy of the good repository, with its key in place."""
    shutil.copytree(template.root, tmp_path / "repository", symlinks=True)
    copy = Repository(tmp_path / "repository", template.key)
    copy.write(f"keys/{CLUSTER}.agekey", copy.key + "\n")
    yield copy


def look(repository: Repository, *, fast: bool = True) -> Evidence:
    ws = Workspace(repository.root, CLUSTER)
    config = load(repository.root, CLUSTER)
    return gather(Subject(ws, config, Git(repository.root).head(), fast), look_for_key(ws))


def findings(repository: Repository, *, fast: bool = True) -> list[Finding]:
    return judge(look(repository, fast=fast))
