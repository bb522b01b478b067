"""Commands over many clusters, by the whole command line, where no cluster is needed (docs/fleet.md)."""

from __future__ import annotations

import json

import pytest

from blackstart.__main__ import run
from tests.check.repository import CLUSTER, Repository

OTHER = "other"


@pytest.fixture(autouse=True)
def fleet(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The good repository with a second cluster, whose wiring is nowhere, and what both share in the defaults."""
    own = (repository.root / f"clusters/{CLUSTER}.yaml").read_text()
    repository.write("clusters/_defaults.yaml", own)
    repository.write(f"clusters/{CLUSTER}.yaml", "timeouts: {api: 9}\n")
    repository.write(f"clusters/{OTHER}.yaml", "git: {path: gitops/clusters/absent}\n")
    repository.commit()
    monkeypatch.setenv("SOPS_AGE_KEY", repository.key)
    monkeypatch.chdir(repository.root)


def told(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, int], dict[str, dict[str, object]]]:
    """The exit code, that of each cluster, and the last document of each."""
    with pytest.raises(SystemExit) as ended:
        run(["-o", "json", *words])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    codes = {line["cluster"]: line["code"] for line in lines if line.get("event") == "outcome"}
    documents = {line["cluster"]: line for line in lines if "event" not in line}
    return int(ended.value.code or 0), codes, documents


def test_check_of_all_has_the_worst_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, codes, documents = told("check", "--all", "--fast", capsys=capsys)
    assert codes == {CLUSTER: 0, OTHER: 2} and code == 2
    assert documents[CLUSTER]["ready"] is True and documents[OTHER]["ready"] is False


def test_check_for_people_ends_with_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["check", "--match", "*", "--fast"])
    captured = capsys.readouterr()
    assert captured.out.count("blackstart check · ") == 2 and "git-path-missing" in captured.out
    assert captured.err.splitlines()[-3:] == [
        f" ✔ {CLUSTER:<5}  ready",
        f" ✘ {OTHER}  exit 2: Not ready: 1 error",
        "1 of 2 ready",
    ]


def test_status_of_two_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, codes, documents = told("status", "--cluster", CLUSTER, "--cluster", OTHER, capsys=capsys)
    assert codes == {CLUSTER: 6, OTHER: 6} and code == 6
    assert {name: one["ready"] for name, one in documents.items()} == {CLUSTER: False, OTHER: False}
    with pytest.raises(SystemExit):
        run(["status", "--all"])
    assert f" ✘ {OTHER}  exit 6: {OTHER}-cluster is not applied" in capsys.readouterr().out


def test_nothing_begins_after_a_canary_that_is_wrong(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["up", "--all", "--canary", OTHER])
    assert ended.value.code == 6
    said = capsys.readouterr().err
    assert f"not begun: the canary {OTHER} failed" in said and "does not exist at commit" in said
    assert "Hint  commit it: git add" in said
    assert not (repository.root / ".blackstart" / CLUSTER).exists()
    assert "does not exist at commit" in (repository.root / ".blackstart" / OTHER / "logs" / "up.log").read_text()


@pytest.mark.parametrize("words", [[], ["--yes", "--assume-lost"]])
def test_many_are_not_recovered_by_mistake(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recover", "--all", *words]) == 8
    assert "Hint" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--match", "none-*"], ["--cluster", "absent", "--cluster", CLUSTER]])
def test_a_cluster_that_is_not_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", *words]) == 2
    assert f"(clusters: {CLUSTER}, {OTHER})" in capsys.readouterr().err
