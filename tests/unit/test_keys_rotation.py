"""Where a rotation stands is read from what is there, and each edit leads to the next phase."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.config import load
from blackstart.errors import ConfigError, KeyProblem
from blackstart.keys import custody, rotation, rules
from blackstart.keys.rotation import Phase, Rotation
from blackstart.recipes import printed, rotate
from blackstart.tools import age

ROOT = Path(__file__).parents[2]
MOVE = Rotation("age1old", "age1new")
someone = st.sampled_from(["age1old", "age1other", "age1third"])
recipients = st.lists(someone, unique=True, min_size=1)


def text_of(sets: list[list[str]]) -> str:
    lines = [f"  - path_regex: {number}\n    age: {','.join(one)}" for number, one in enumerate(sets)]
    return "creation_rules:\n" + "\n".join(lines) + "\n"


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(recipients, min_size=1, max_size=4).filter(lambda sets: any("age1old" in one for one in sets)))
def test_old_to_both_to_new(sets: list[list[str]]) -> None:
    text = text_of(sets)
    assert MOVE.phase(text) is Phase.OLD
    both = rules.edit_rules(text, MOVE.add_new)
    assert MOVE.phase(both) is Phase.BOTH
    assert rules.edit_rules(both, MOVE.add_new) == both
    new = rules.edit_rules(both, MOVE.drop_old)
    assert MOVE.phase(new) is Phase.NEW
    assert rules.edit_rules(new, MOVE.drop_old) == rules.edit_rules(new, MOVE.add_new) == new
    others = [[one for one in rule.recipients if one != "age1new"] for rule in rules.rules_in(new)]
    assert others == [[one for one in old if one != "age1old"] for old in sets]


def test_the_old_recipient_never_goes_before_the_new_one_is_there() -> None:
    assert MOVE.drop_old(["age1old"]) == ["age1old"]


@pytest.mark.parametrize("text", [None, "creation_rules: []", text_of([["age1other"]])])
def test_rules_that_name_neither(text: str | None) -> None:
    with pytest.raises(ConfigError, match="age1old"):
        MOVE.phase(text)


def test_the_key_file_from_one_key_to_two_to_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.agekey"
    old, spare = age.generate(), age.generate()
    path.write_text(custody.text_of(old) + spare.identities)
    found = age.parse(path.read_text(), "here", path)
    assert rotation.pending(path) is None
    move = rotation.begin(path, found, old.recipients)
    assert rotation.pending(path) == move and move.old == old.recipients[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    both = age.parse(path.read_text(), "here", path)
    assert both.recipients == (*old.recipients, *spare.recipients, move.new)
    kept = rotation.retire(path, both, move)
    assert rotation.pending(path) is None
    assert age.parse(path.read_text(), "here").recipients == (*spare.recipients, move.new)
    assert age.parse(kept.read_text(), "here").identities == old.identities
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_key_file_that_lost_the_new_key(tmp_path: Path) -> None:
    old = age.generate()
    with pytest.raises(KeyProblem, match="does not hold the new key"):
        rotation.without_old(old, Rotation(old.recipients[0], age.generate().recipients[0]))


def test_the_recipe_reads_as_the_issue_says() -> None:
    steps = rotate(load(ROOT, "local"), commit=True)
    assert [line.split()[0] for line in printed(steps).splitlines()] == [
        "key",
        "commit",
        "sops-age",
        "recipients",
        "layers",
        "data-keys",
        "layers-new",
        "old-key",
    ]
