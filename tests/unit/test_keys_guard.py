"""What the hook refuses, file by file (issue 5, `guard`)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.keys.guard import Guard
from blackstart.keys.rules import rules_in
from blackstart.tools import age
from blackstart.tools.gitindex import Index
from blackstart.tools.process import inside_base64

ROOT = Path(__file__).parents[2]
KEY = age.generate()
RULES = (ROOT / ".sops.yaml").read_text()
SEALED = (ROOT / "gitops/flux/apps/gitlab/rails.sops.yaml").read_text()
CLEAR = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: hunter2}\n"


def problems(name: str, text: str, *, rules: str = RULES, beside: tuple[str, ...] = ()) -> list[str]:
    guard = Guard(rules_in(rules), {name: text}.get, beside.__contains__)
    return [one.problem for one in guard.refusals([name])]


@pytest.mark.parametrize(
    "text",
    [
        f"x\nkey: {KEY.identities}",
        f'"{KEY.identities.strip().lower()}"',
        "AGE-SECRET-KEY-PQ-1" + "Q" * 80,
    ],
)
def test_an_age_key_anywhere(text: str) -> None:
    assert problems("notes.md", text) == ["holds an Age private key"]


@pytest.mark.parametrize("before", ["", "# ", "#1", "# a comment\n"])
def test_an_age_key_in_base64(before: str) -> None:
    coded = base64.b64encode((before + KEY.identities).encode()).decode()
    wrapped = "\n    ".join(coded[place : place + 40] for place in range(0, len(coded), 40))
    assert "holds an Age private key in base64" in problems("a.txt", wrapped)


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_no_place_in_base64_hides_it(before: bytes, after: bytes) -> None:
    coded = base64.b64encode(before + b"AGE-SECRET-KEY-1" + after).decode()
    assert any(prefix in coded for prefix in inside_base64("AGE-SECRET-KEY-"))


def test_another_private_key() -> None:
    text = "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nabc\n"
    assert problems("id", text) == ["holds a private key (PEM)"]


def test_the_published_throwaway_may_be_committed() -> None:
    assert problems("keys/local.agekey", (ROOT / "keys/local.agekey").read_text()) == []


def test_a_secret_in_clear() -> None:
    assert problems("gitops/flux/a.yaml", CLEAR) == ["Secret/x in clear: password"]
    assert problems("gitops/flux/a.yaml", f"kind: A\n---\n{CLEAR}") == ["Secret/x in clear: password"]
    assert problems("elsewhere/a.yaml", CLEAR) == []
    empty = "kind: Secret\nmetadata: {name: x}\ndata: {a: '', b: }\n"
    assert problems("gitops/flux/a.yaml", empty) == []


def test_a_secret_in_a_list_and_one_that_cannot_be_read() -> None:
    listed = "kind: List\nitems:\n  - {kind: Secret, data: {a: eA==}}\n  - {kind: ConfigMap, data: {b: c}}\n"
    assert problems("gitops/a.yaml", listed) == ["Secret/? in clear: a"]
    assert problems("gitops/a.yaml", "kind: Secret\ndata: [") == ["has a Secret on line 1 that is not YAML"]


def test_a_template_of_a_chart_is_not_a_manifest() -> None:
    template = "kind: Secret\ndata: {a: {{ .Values.a }}}\n"
    assert problems("gitops/charts/x/templates/s.yaml", template, beside=("gitops/charts/x/Chart.yaml",)) == []
    assert problems("gitops/charts/x/templates/s.yaml", template) != []


def test_a_sops_file_that_is_not_encrypted() -> None:
    assert problems("a.sops.yaml", "a: b\n") == ["is not encrypted"]
    assert problems("gitops/a.sops.yaml", CLEAR) == ["is not encrypted", "Secret/x in clear: password"]
    assert problems(".sops.yaml", RULES) == []


def test_a_value_in_clear_in_an_encrypted_file() -> None:
    assert problems("gitops/a.sops.yaml", SEALED) == []
    added = SEALED.replace("stringData:\n", "stringData:\n    oops: hunter2\n")
    assert added != SEALED
    assert problems("gitops/a.sops.yaml", added) == ["Secret/gitlab-rails in clear: oops"]


def test_recipients_that_differ_from_the_rule() -> None:
    other = age.generate().recipients[0]
    more = RULES.replace(age.THROWAWAY, f"{age.THROWAWAY},{other}")
    assert problems("gitops/a.sops.yaml", SEALED, rules=more) == [
        f"its recipients differ from its rule in .sops.yaml; lacks {other}"
    ]
    others = RULES.replace(age.THROWAWAY, other)
    assert f"has {age.THROWAWAY} in addition" in problems("gitops/a.sops.yaml", SEALED, rules=others)[0]
    assert "no rule" in problems("gitops/a.sops.yaml", SEALED, rules="creation_rules: []")[0]


def test_this_repository_passes() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git repository: the archive has no list of its files")
    names = Index(ROOT).tracked()
    guard = Guard(rules_in(RULES), lambda name: read(ROOT / name), lambda name: (ROOT / name).is_file())
    assert len(names) > 50
    assert guard.refusals(names) == []


def read(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.is_file() else None


@given(st.text(max_size=300), st.sampled_from(["gitops/a.yaml", "a.sops.yaml", "x"]))
def test_any_text_is_judged(text: str, name: str) -> None:
    for given_text in (text, f"kind: Secret\ndata:\n  {text}", SEALED[: len(text) * 7]):
        assert isinstance(problems(name, given_text), list)
