"""A fleet without clusters: the process of each is played, everything else is the real thing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import pytest

from blackstart import fleet
from blackstart.cli import main as group
from blackstart.cli.fleet import _pin, table
from blackstart.config import Workspace
from blackstart.errors import ConfigError
from blackstart.fleet import Fleet, Outcome, Rollout, Selection, unfinished_first, worst
from blackstart.report.record import open_run
from blackstart.tools.process import Command, Completed

NAMES = ["a", "b", "c", "d", "e"]


class Played:
    """Stands in the place of `process.run`: each cluster ends with the code that it was given."""

    def __init__(self, codes: dict[str, int]) -> None:
        self.codes = codes
        self.begun: list[str] = []
        self.together = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, command: Command, *, check: bool, on_line: Callable[[str], None]) -> Completed:
        name = command.argv[command.argv.index("--cluster") + 1]
        with self._lock:
            self.begun.append(name)
            self.together += 1
            self.most = max(self.most, self.together)
        on_line(json.dumps({"event": "step", "step": "flux", "status": "ready", "reason": name}))
        on_line("no JSON")
        code = self.codes.get(name, 0)
        with self._lock:
            self.together -= 1
        return Completed(tuple(command.argv), code, "", f"✘ {name} broke\n\n  Hint     look\n" if code else "", 0.0)


@dataclass
class Heard:
    """An audience that remembers."""

    told_of: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)

    def begun(self, cluster: str) -> None:
        assert cluster not in self.told_of

    def told(self, cluster: str, event: dict[str, object]) -> None:
        self.told_of.append(cluster)

    def ended(self, outcome: Outcome) -> None:
        self.over.append(outcome.cluster)


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Played, list[Outcome]]]:
    """Works a fleet through, with the given rollout and exit codes."""

    def work(rollout: Rollout, **codes: int) -> tuple[Played, list[Outcome]]:
        played = Played(codes)
        monkeypatch.setattr(fleet, "run", played)
        heard = Heard()
        outcomes = Fleet(tmp_path, ["up"], rollout, heard).work(NAMES)
        assert sorted(heard.told_of) == sorted(heard.over) == sorted(played.begun)
        return played, outcomes

    return work


def test_each_cluster_is_worked_on_once_and_not_too_many_at_a_time(
    play: Callable[..., tuple[Played, list[Outcome]]],
) -> None:
    played, outcomes = play(Rollout(max_parallel=2))
    assert sorted(played.begun) == NAMES and played.most <= 2
    assert [one.cluster for one in outcomes] == NAMES and worst(outcomes) == 0


def test_the_canary_comes_first(play: Callable[..., tuple[Played, list[Outcome]]]) -> None:
    played, outcomes = play(Rollout(canary="c"))
    assert played.begun[0] == "c" and sorted(played.begun) == NAMES and worst(outcomes) == 0


def test_nothing_begins_after_a_canary_that_failed(play: Callable[..., tuple[Played, list[Outcome]]]) -> None:
    played, outcomes = play(Rollout(canary="c"), c=5)
    assert played.begun == ["c"]
    assert {one.cluster: one.code for one in outcomes} == {"a": -1, "b": -1, "c": 5, "d": -1, "e": -1}
    assert {one.message for one in outcomes if one.code < 0} == {"not begun: the canary c failed"}
    assert worst(outcomes) == fleet.NOT_READY  # the highest code; what was not begun is not Ready


def test_a_canary_must_be_one_of_the_clusters(play: Callable[..., tuple[Played, list[Outcome]]]) -> None:
    with pytest.raises(ConfigError, match="canary z"):
        play(Rollout(canary="z"))


@pytest.mark.parametrize(("most", "begun"), [(1, 1), (2, 2), (0, 5)])
def test_it_stops_after_too_many_failures(
    play: Callable[..., tuple[Played, list[Outcome]]], most: int, begun: int
) -> None:
    played, outcomes = play(Rollout(max_parallel=1, max_failures=most), a=4, b=8, c=4, d=4, e=4)
    assert played.begun == NAMES[:begun]
    assert [one.code for one in outcomes[begun:]] == [-1] * (5 - begun)
    assert worst(outcomes) == max(fleet.NOT_READY if begun < 5 else 0, *[4, 8][:begun])


def test_the_table_says_why_and_where(play: Callable[..., tuple[Played, list[Outcome]]]) -> None:
    _, outcomes = play(Rollout(max_parallel=1, max_failures=1), b=6)
    lines = table(outcomes, "Ready").splitlines()
    assert lines[0].split() == ["✔", "a", "Ready"]
    assert "exit 6: b broke" in lines[1] and lines[2].split()[0] == "log"
    assert lines[2].endswith(".blackstart/b/logs/up.log") and lines[3].split() == ["Hint", "look"]
    assert "not begun: too many failures" in lines[4] and lines[-1] == "1 of 5 Ready"
    drawn = table(outcomes, "Ready", drawn=True).splitlines()
    assert drawn == lines[1:], "the good one stands in the live table above"


def test_a_child_that_was_killed_has_an_exit_code(play: Callable[..., tuple[Played, list[Outcome]]]) -> None:
    _, outcomes = play(Rollout(), b=-9)
    assert [one.code for one in outcomes] == [0, 137, 0, 0, 0]


def test_a_child_has_the_operator_s_environment_but_is_never_a_fleet_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`BLACKSTART_UP_EVERY` is `--all`: a child that took it would begin all clusters again, without end."""
    seen: list[dict[str, str]] = []

    def play(command: Command, **_: object) -> Completed:
        seen.append(dict(command.env))
        return Completed(tuple(command.argv), 0, "", "", 0.0)

    monkeypatch.setattr(fleet, "run", play)
    monkeypatch.setenv("SOPS_AGE_KEY_CMD", "pass age")
    Fleet(tmp_path, ["up"], Rollout(), Heard()).work(["a", "b"])
    assert sorted(env["BLACKSTART_CLUSTER"] for env in seen) == ["a", "b"], "they begin at the same time"
    assert all(env["SOPS_AGE_KEY_CMD"] == "pass age" for env in seen), "the operator's environment is for blackstart"
    up = group.get_command(click.Context(group), "up")
    assert up is not None and {"every", "match", "more"} <= {option.name for option in up.params}
    for env in seen:
        assert {env[f"BLACKSTART_UP_{name}"] for name in ("EVERY", "MATCH", "MORE")} == {""}
        assert env["BLACKSTART_GIT_PORT"] == "", "one port can not serve two clusters"


def test_a_rollout_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def ended(name: str, outcome: str, commit: str) -> None:
        ws = Workspace(tmp_path, name)
        open_run(ws, "up").finish(outcome, commit, {}, [])

    for name, outcome, commit in (
        ("a", "ready", "new"),
        ("b", "failed", "new"),
        ("c", "interrupted", "new"),
        ("d", "ready", "old"),
        ("f", "unchanged", "new"),
    ):
        ended(name, outcome, commit)
    assert unfinished_first(tmp_path, ["a", "b", "c", "d", "e", "f"], "new") == ["c", "d", "e", "b", "a", "f"]


def test_all_get_one_commit_whatever_is_committed_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "clusters").mkdir()
    text = f"cluster: {{provider: embedded}}\nsops: {{recipients: [age1{'q' * 58}]}}\n"
    for name, url in (("here", "worktree"), ("there", "https://git.example.test/ops.git")):
        path = tmp_path / "clusters" / f"{name}.yaml"
        path.write_text(text + f"git: {{url: '{url}', path: gitops}}\n")
    (tmp_path / "clusters" / "wrong.yaml").write_text("a: [")

    def pinned(ref: str) -> list[list[str]]:
        return [_pin(tmp_path, "c0ffee", ref, name) for name in ("here", "there", "wrong")]

    assert pinned("HEAD") == [["--ref", "c0ffee"], [], []]
    assert pinned("v1") == [["--ref", "c0ffee"], ["--ref", "c0ffee"], []]
    fleet = Fleet(tmp_path, ["up"], Rollout(), Heard(), pin=partial(_pin, tmp_path, "c0ffee", "HEAD"))
    assert fleet._argv("here")[-3:] == ["up", "--ref", "c0ffee"] and fleet._argv("there")[-1] == "up"


def test_clusters_are_chosen_by_name_by_glob_or_all(tmp_path: Path) -> None:
    (tmp_path / "clusters").mkdir()
    for name in ("_defaults", "eu-1", "eu-2", "us-1"):
        (tmp_path / "clusters" / f"{name}.yaml").touch()
    assert Selection(all=True).names(tmp_path) == ["eu-1", "eu-2", "us-1"]
    assert Selection(match="eu-*").names(tmp_path) == ["eu-1", "eu-2"]
    assert Selection(("us-1", "eu-1", "us-1")).names(tmp_path) == ["us-1", "eu-1"]
    assert not Selection(("us-1",)).is_fleet and Selection(match="x").is_fleet
    for wrong in (Selection(match="ap-*"), Selection(("eu-1", "ap-1"))):
        with pytest.raises(ConfigError):
            wrong.names(tmp_path)
