"""`blackstart check` as a command: output, exit codes; and that no finding goes untested."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.cli import main
from tests.check.repository import CLUSTER, Repository

PROJECT = Path(__file__).parents[2]
GIVEN = re.compile(r"(?:found|pointed_out)\(\s*\"([a-z-]+)\"")
COMPUTED = {
    *("git-branch-missing", "git-remote-unreachable", "key-malformed", "key-missing"),
    *("layer-without-timeout", "layer-without-retry-interval", "layer-without-prune", "layer-without-wait"),
}


def call(repository: Repository, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    monkeypatch.chdir(repository.root)
    done = CliRunner().invoke(main, ["--cluster", CLUSTER, *words], standalone_mode=False)
    assert done.exception is None, done.exception
    return int(done.return_value or 0), done.stdout


def test_ready(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    code, shown = call(repository, monkeypatch, "check")
    assert code == 0 and "Ready: nothing stands in the way" in shown
    code, shown = call(repository, monkeypatch, "-o", "json", "check", "--fast")
    commit = repository.git("rev-parse", "HEAD")
    assert code == 0
    assert json.loads(shown) == {"cluster": CLUSTER, "commit": commit, "ready": True, "findings": []}


def test_not_ready(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    good = repository.git("rev-parse", "HEAD")
    repository.edit(f"gitops/clusters/{CLUSTER}/apps.yaml", "path: ./gitops/apps", "path: ./gitops/absent")
    repository.commit()
    code, shown = call(repository, monkeypatch, "check", "--fast")
    assert code == 2 and "layer-path-missing" in shown and "Not ready: 1 error" in shown and "Hint  git add" in shown
    code, shown = call(repository, monkeypatch, "-o", "json", "check", "--fast")
    told = json.loads(shown)
    assert code == 2 and not told["ready"] and [one["id"] for one in told["findings"]] == ["layer-path-missing"]
    code, _ = call(repository, monkeypatch, "check", "--fast", "--ref", good)
    assert code == 0


def test_a_key_finding_is_exit_code_7_and_no_key_is_shown(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.edit(
        f"clusters/{CLUSTER}.yaml",
        "- age1",
        "- age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3 # age1",
    )
    repository.commit()
    code, shown = call(repository, monkeypatch, "check", "--fast")
    assert code == 7 and "key-not-recipient" in shown and repository.key not in shown


def test_every_finding_has_a_test_and_is_documented() -> None:
    rules = "".join(path.read_text() for path in (PROJECT / "blackstart" / "check" / "rules").glob("*.py"))
    ids = set(GIVEN.findall(rules)) | COMPUTED
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_[ef]*.py"))
    documented = set(re.findall(r"^\| `([a-z-]+)`", (PROJECT / "docs" / "check.md").read_text(), re.MULTILINE))
    assert len(ids) > 40
    assert sorted(id for id in ids if f'"{id}"' not in tests) == []
    assert documented == ids
