"""Whatever a repository holds, `check` ends with findings, and writes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blackstart.check import Finding, exit_code
from blackstart.errors import ConfigError
from tests.check.conftest import findings
from tests.check.repository import CLUSTER, Repository

EXAMPLES = int(os.environ.get("CHECK_EXAMPLES", "12"))
FILES = (
    ".sops.yaml",
    f"clusters/{CLUSTER}.yaml",
    *(f"gitops/clusters/{CLUSTER}/{name}.yaml" for name in ("apps", "certs", "controllers")),
    *(f"gitops/apps/{name}.yaml" for name in ("app", "login.sops", "namespace")),
    "gitops/certs/widget.yaml",
    "gitops/charts/maker/Chart.yaml",
    "gitops/charts/maker/crds/widget.yaml",
    "gitops/charts/maker/templates/map.yaml",
    "gitops/controllers/maker.yaml",
)
ODD = (
    "kind: List\nitems: 3\n",
    "- a\n",
    "null\n",
    "\t",
    "{{",
    "---\n---\n",
    "&a [*a]\n",
    "\x00",
    "spec: text\n",
    "é\ud7ff",
)
Mutation = tuple[str, str, int, str]


def mutations() -> st.SearchStrategy[list[Mutation]]:
    kind = st.sampled_from(("drop", "double", "value", "insert", "cut", "replace", "delete", "link"))
    text = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=12)
    return st.lists(st.tuples(kind, st.sampled_from(FILES), st.integers(0, 40), text), min_size=1, max_size=4)


def mutate(repository: Repository, mutation: Mutation) -> None:
    kind, name, number, text = mutation
    path = repository.root / name
    if not path.is_file():
        return
    lines = path.read_text().splitlines(keepends=True)
    here = number % max(1, len(lines))
    if kind == "delete":
        path.unlink()
        return
    if kind == "link":
        path.unlink()
        path.symlink_to("/etc/hostname" if number % 2 else path.parent)
        return
    value = lines[here].partition(":")[0] if lines else ""
    changed = {
        "drop": [*lines[:here], *lines[here + 1 :]],
        "double": [*lines[: here + 1], *lines[here : here + 1], *lines[here + 1 :]],
        "value": [*lines[:here], f"{value}: {text}\n", *lines[here + 1 :]],
        "insert": [*lines[:here], text, *lines[here:]],
        "cut": ["".join(lines)[: number * 7]],
        "replace": [text],
    }[kind]
    path.write_text("".join(changed))


def fingerprint(root: Path) -> str:
    """Every path, mode and byte below a folder, .git and its index too."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        digest.update(f"{path.relative_to(root)} {status.st_mode} {status.st_mtime_ns}\n".encode())
        if path.is_symlink():
            digest.update(str(path.readlink()).encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="CHECK_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=mutations())
@example(changes=[("replace", f"gitops/clusters/{CLUSTER}/apps.yaml", 0, "kind: Kustomization\nspec: text\n")])
@example(changes=[("value", "gitops/controllers/maker.yaml", 7, "text")])
@example(
    changes=[("replace", "gitops/charts/maker/crds/widget.yaml", 0, "kind: CustomResourceDefinition\nspec: [1]\n")]
)
@example(changes=[("value", f"gitops/clusters/{CLUSTER}/apps.yaml", 5, "[1, {a: b}]")])
def test_any_repository_gets_findings_and_is_left_alone(
    template: Repository, tmp_path: Path, changes: list[Mutation]
) -> None:
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    shutil.copytree(template.root, tmp_path / "any", symlinks=True)
    repository = Repository(tmp_path / "any", template.key)
    repository.write(f"keys/{CLUSTER}.agekey", repository.key + "\n")
    for mutation in changes:
        mutate(repository, mutation)
    repository.commit()
    before = fingerprint(repository.root)
    try:
        found = findings(repository)
    except ConfigError as error:  # the cluster file itself: told before anything is looked at
        assert error.message.startswith((CLUSTER, f"clusters/{CLUSTER}", "no cluster file"))
        found = []
    assert fingerprint(repository.root) == before
    assert exit_code(found) in (0, 2, 7)
    assert all(isinstance(one, Finding) and one.message and one.hint for one in found)
    assert template.key not in "".join(f"{one} {one.hint}" for one in found)
