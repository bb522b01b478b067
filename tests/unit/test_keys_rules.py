"""`.sops.yaml` and cluster files are edited where recipients stand, and nowhere else."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from blackstart.errors import ConfigError
from blackstart.keys.rules import NEW, edit_cluster, edit_rules, rule_for, rules_in

ROOT = Path(__file__).parents[2]
ONE, TWO = "age1one", "age1two"

FORMS = {
    "string": "creation_rules:\n- path_regex: a # why\n  age: age1one\n",
    "folded": "# head\ncreation_rules:\n    - path_regex: a\n      age: >-\n        age1one\n    # tail\n",
    "list": "creation_rules:\n  - path_regex: a\n    age:\n      - age1one # mine\n",
    "quoted": "creation_rules:\n  - path_regex: 'a'\n    age: \"age1one\"\n",
}


def add(old: list[str]) -> list[str]:
    return [*old, TWO] if ONE in old else old


def drop(old: list[str]) -> list[str]:
    return [one for one in old if one != ONE]


def changed(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("form", FORMS)
def test_a_recipient_comes_in_and_goes_out(form: str) -> None:
    text = FORMS[form]
    both = edit_rules(text, add)
    assert rules_in(both)[0].recipients == (ONE, TWO)
    assert all("age1" in line for line in changed(text, both) if "age:" not in line)
    assert rules_in(edit_rules(both, drop))[0].recipients == (TWO,)
    for comment in ("# why", "# head", "# tail"):
        assert (comment in text) == (comment in both)


def test_nothing_to_change_gives_the_same_bytes() -> None:
    odd = "creation_rules:   \n- {path_regex: a,   age: age1other}\n"
    assert edit_rules(odd, add) == odd


def test_the_files_of_this_repository_keep_all_their_other_lines() -> None:
    rules = (ROOT / ".sops.yaml").read_text()
    lines = changed(rules, edit_rules(rules, lambda old: [*old, TWO]))
    assert len(lines) == 6 and all("age1" in line for line in lines)
    for name in ("local", "production"):
        text = (ROOT / "clusters" / f"{name}.yaml").read_text()
        lines = changed(text, edit_cluster(text, name, lambda old: [TWO, *old]))
        assert [line.strip("+ ") for line in lines if line[0] == "+"] == [f"- {TWO}"]
        assert not [line for line in lines if line[0] == "-"]


def test_the_first_rule_that_fits_counts() -> None:
    rules = rules_in("creation_rules:\n- {path_regex: x/.*, age: age1one}\n- {age: 'age1two, age1one'}\n")
    first, second = rule_for(rules, "x/a.yaml"), rule_for(rules, "y.yaml")
    assert first is not None and first.recipients == (ONE,)
    assert second is not None and second.recipients == (TWO, ONE)
    assert rule_for(rules[:1], "y.yaml") is None


def test_a_new_file_is_complete() -> None:
    text = edit_rules(NEW, lambda old: [*old, ONE])
    rule = rule_for(rules_in(text), "gitops/flux/apps/a.sops.yaml")
    assert rule is not None and rule.recipients == (ONE,)
    assert "mac_only_encrypted: true" in text


@pytest.mark.parametrize(
    "text", ["", "a: [", "[]", "creation_rules: 1", "creation_rules: [1]", "creation_rules:\n- path_regex: '['"]
)
def test_what_is_not_a_rule_file(text: str) -> None:
    with pytest.raises(ConfigError):
        rules_in(text)
