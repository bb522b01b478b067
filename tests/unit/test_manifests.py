"""Documents of manifests: found without being parsed, each with its line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from blackstart.tools.manifests import Place, documents, group_of, items, mapping, names_of, split

TWO = """\
# about
apiVersion: v1
kind: Secret
metadata:
  labels: {a: b}

  # its name
  name: "one"
---
# nothing but a comment
--- # third
kind: 'ConfigMap'
metadata: {namespace: x, name: two}
"""


def test_documents_have_kind_name_and_line() -> None:
    found = list(split(TWO, "f.yaml"))
    assert [(doc.kind, doc.name, doc.place) for doc in found] == [
        ("Secret", "one", Place("f.yaml", 3)),
        ("ConfigMap", "two", Place("f.yaml", 12)),
    ]
    assert [doc.first_line for doc in found] == [1, 11]
    assert [doc.text.split("\n")[-2].strip() for doc in found] == [
        'name: "one"',
        "metadata: {namespace: x, name: two}",
    ]


def test_charts_and_links_are_no_manifests(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.txt", "chart/Chart.yaml", "chart/templates/d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kind: X\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.yaml")
    assert [doc.place.file for doc in documents(tmp_path)] == ["a.yaml", "b.yml"]


def test_malformed_objects_have_blank_names() -> None:
    assert names_of({"metadata": "x"}).name == "" and names_of({"kind": None}).kind == ""
    assert mapping(3) == {} and items({"a": 1}) == [] and items([1, {"a": 1}]) == [{"a": 1}]
    assert group_of({"apiVersion": "apps/v1"}) == "apps" and group_of({"apiVersion": "v1"}) == ""


@given(st.text())
def test_any_text_is_split(text: str) -> None:
    for doc in split(text, "f"):
        assert 1 <= doc.first_line <= doc.place.line <= text.count("\n") + 1
