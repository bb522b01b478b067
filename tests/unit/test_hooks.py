"""Data hooks: which layers wait, when a hook is over, where it stands in the recipe."""

from __future__ import annotations

import pytest

from blackstart import recipes
from blackstart.config import ClusterConfig
from blackstart.config.model import Hook
from blackstart.errors import ConfigError
from blackstart.gates import Broken, Ready, Waiting
from blackstart.layers import Layer
from blackstart.recovery.verdict import Row, Verdict
from blackstart.steps.hooks import held, in_order, met

LAYERS = (
    Layer("controllers", "a"),
    Layer("certs", "b", ("controllers",)),
    Layer("apps", "c", ("certs",)),
    Layer("aside", "d"),
)
RESTORE = Hook(name="restore", after="certs", run=["true"])
VOLUMES = Hook(name="volumes", after="controllers", apply="volumes")


def config(*hooks: Hook, layout: str = "split") -> ClusterConfig:
    return ClusterConfig.model_validate(
        {
            "cluster": {"provider": "embedded"},
            "git": {"path": "x"},
            "sops": {"recipients": ["age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3"]},
            "state": {"layout": layout},
            "recover": {"hooks": [hook.model_dump() for hook in hooks]},
        }
    )


def names(row: Row, *hooks: Hook, skipped: tuple[str, ...] = (), layout: str = "split") -> list[str]:
    verdict = Verdict(
        row, "", {"local-flux": ("helm_release.flux",)} if row is Row.LOST else {}, start=row is Row.STOPPED
    )
    return [step.name for step in recipes.recover(config(*hooks, layout=layout), verdict, skipped)]


def test_recover_is_up_with_steps_in_front() -> None:
    plain = [step.name for step in recipes.up(config())]
    assert names(Row.SAME) == [*plain[:4], "backup", *plain[4:]]
    assert names(Row.LOST) == [*plain[:4], "backup", "forget", *plain[4:]]
    assert names(Row.STOPPED) == [*plain[:4], "backup", "start", *plain[4:]]


def test_hooks_are_due_only_where_the_data_is_lost() -> None:
    assert "hooks" in names(Row.LOST, RESTORE)
    assert "hooks" in names(Row.EMPTIED, RESTORE)
    assert "hooks" in names(Row.NOTHING, RESTORE)
    assert "hooks" not in names(Row.SAME, RESTORE)
    assert "hooks" not in names(Row.ADOPT, RESTORE)
    assert "hooks" not in names(Row.LOST, RESTORE, skipped=("restore",))


def test_up_finishes_what_a_hook_left() -> None:
    found = [step.name for step in recipes.up(config(VOLUMES, RESTORE))]
    assert found.index("hold") == found.index("flux") - 1
    assert found[-3:] == ["hook-volumes", "hook-restore", "layers"]


def test_layers_are_held_before_the_one_state_is_applied() -> None:
    found = names(Row.LOST, RESTORE, layout="single")
    assert found.index("hold") == found.index("apply") - 1


def test_all_that_depends_on_a_hook_is_held_however_far() -> None:
    assert held([VOLUMES], LAYERS) == ("certs", "apps")
    assert held([RESTORE], LAYERS) == ("apps",)
    assert held([], LAYERS) == ()


def test_a_hook_after_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ConfigError, match="no layer"):
        in_order([Hook(name="x", after="nowhere", run=["true"])], LAYERS)


def test_hooks_that_would_wait_for_each_other_are_refused() -> None:
    in_order([VOLUMES, RESTORE], LAYERS)
    with pytest.raises(ConfigError, match="holds back"):
        in_order([RESTORE, VOLUMES], LAYERS)


def test_a_hook_is_over_by_condition_or_by_phase() -> None:
    assert isinstance(met(None, "Ready"), Waiting)
    assert met({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "Ready") == Ready()
    assert met({"status": {"phase": "Completed"}}, "Completed") == Ready()
    assert isinstance(met({"status": {"phase": "InProgress"}}, "Completed"), Waiting)
    assert isinstance(met({"status": {"phase": "PartiallyFailed"}}, "Completed"), Broken)
