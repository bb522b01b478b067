"""Bad input gets a clear error with a hint, by the whole command line, and nothing is lost or made (issue 3).

A full disk while a tool is installed: tests/wrappers/test_toolchain.py. Traps in the operator's shell:
tests/wrappers/test_process.py, and tests/cluster/test_up.py on a real cluster.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyrage import x25519

from blackstart.__main__ import run
from blackstart.toolchain import finding
from blackstart.tools.process import Command
from blackstart.tools.process import run as run_program
from tests.check.repository import CLUSTER, DEPENDS, Repository

Change = Callable[[Repository], None]
FILE = f"clusters/{CLUSTER}.yaml"
WIRING = f"gitops/clusters/{CLUSTER}"
KEY = f"keys/{CLUSTER}.agekey"


def no_repository(repository: Repository) -> None:
    shutil.rmtree(repository.root / ".git")


def no_commits(repository: Repository) -> None:
    no_repository(repository)
    run_program(Command(["git", "init", "--quiet"], cwd=repository.root))


def edited(name: str, old: str, new: str) -> Change:
    def change(repository: Repository) -> None:
        repository.edit(name, old, new)
        repository.commit()

    return change


def written(name: str, text: str) -> Change:
    def change(repository: Repository) -> None:
        repository.write(name, text)
        repository.commit()

    return change


def cycle(repository: Repository) -> None:
    file = f"{WIRING}/controllers.yaml"
    repository.write(file, (repository.root / file).read_text() + DEPENDS.format("apps"))
    repository.commit()


BAD: dict[str, tuple[Change, int, str, str]] = {
    "not-a-repository": (no_repository, 2, "is not a Git repository", "git init"),
    "no-commits": (no_commits, 2, "no commits", "git commit"),
    "yaml": (lambda repository: repository.write(FILE, "a: ["), 2, f"{FILE}:1: not YAML", f"edit {FILE}"),
    "not-a-mapping": (lambda repository: repository.write(FILE, "- a"), 2, f"{FILE}:1: not a mapping", "schema"),
    "unknown-provider": (
        edited(FILE, "provider: embedded", "provider: embeded"),
        2,
        "no provider embeded; did you mean embedded?",
        "blackstart schema",
    ),
    "unknown-key": (
        edited(FILE, "sops:", "charst: bundled\nsops:"),
        2,
        "charst: unknown key; did you mean charts?",
        "",
    ),
    "path": (
        edited(FILE, "path: gitops/clusters/demo", "path: gitops/absent"),
        2,
        "does not exist at commit",
        "git add",
    ),
    "no-key": (lambda repository: repository.remove(KEY), 7, "no Age key", "keys new"),
    "malformed-key": (
        lambda repository: repository.write(KEY, "AGE-SECRET-KEY-1NONE\n"),
        7,
        "is not an Age key",
        "AGE-SECRET-KEY-1",
    ),
    "other-key": (
        lambda repository: repository.write(KEY, f"{x25519.Identity.generate()}\n"),
        7,
        "is not among sops.recipients",
        "keys show",
    ),
    "chart": (
        written("gitops/charts/maker/templates/bad.yaml", '{{ fail "this chart wants more" }}\n'),
        2,
        "this chart wants more",
        "chart",
    ),
    "cycle": (cycle, 2, "depends-on-cycle", "dependsOn"),
}


@pytest.fixture(autouse=True)
def here(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator works in the repository."""
    monkeypatch.chdir(repository.root)


def tree(root: Path) -> dict[str, bytes]:
    """Every file but Git's own and the records of runs."""
    files = [path for path in root.rglob("*") if path.is_file()]
    found = {str(path.relative_to(root)): path for path in files}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith((".git/", ".blackstart/"))}


@pytest.mark.parametrize("name", BAD)
def test_up_says_what_is_wrong_and_makes_nothing(
    repository: Repository, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, code, says, hint = BAD[name]
    change(repository)
    before = tree(repository.root)
    assert run(["--cluster", CLUSTER, "up"]) == code
    said = capsys.readouterr().err
    assert says in said, said
    head, _, hinted = said.rpartition("Hint")
    assert head and hint in hinted, said
    assert "Traceback" not in said and repository.key.strip() not in said
    assert tree(repository.root) == before
    made = {path.name for path in (repository.root / ".blackstart" / CLUSTER).glob("*")}
    assert made <= {"lock", "runs"}, "nothing but the record of the run"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which somebody listens, where the commit is to be served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("BLACKSTART_GIT_PORT", str(port))
        yield port


def test_a_port_that_is_taken(repository: Repository, taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--cluster", CLUSTER, "up"]) == 2
    said = capsys.readouterr().err
    assert f"127.0.0.1:{taken}" in said and "is taken by" in said
    assert "BLACKSTART_GIT_PORT=" in said.rpartition("Hint")[2]
    assert not (repository.root / ".blackstart" / CLUSTER / "states").exists()


def test_a_terraform_that_is_too_old(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho Terraform v1.5.7\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    in_cache = finding._in_cache
    monkeypatch.setattr(finding, "_in_cache", lambda pin: None if pin.name == "terraform" else in_cache(pin))
    assert run(["--cluster", CLUSTER, "up"]) == 3
    said = capsys.readouterr().err
    assert f"terraform 1.5.7 ({program}) does not fit (>=1.11,<2)" in said
    assert "make setup" in said.rpartition("Hint")[2]


def test_a_second_up_while_one_runs(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    from blackstart.config import Workspace
    from blackstart.lock import locked

    ws = Workspace(repository.root, CLUSTER)
    with locked(ws, "recover"):
        assert run(["--cluster", CLUSTER, "up"]) == 9
    said = capsys.readouterr().err
    assert "another run works on demo" in said and "`blackstart recover`, pid " in said and ", since " in said
    assert "Hint" in said


def test_a_name_that_leads_elsewhere(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--cluster", "../elsewhere", "up"]) == 2
    assert "no name for a cluster" in capsys.readouterr().err
    for words in (
        ["--cluster", "absent", "up"],
        ["kubeconfig", "--cluster", "absent"],
        ["keys", "show", "--cluster=absent"],
    ):
        assert run(words) == 2
        assert "no cluster file clusters/absent.yaml (clusters: demo)" in capsys.readouterr().err


def test_a_command_that_is_not_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recovr"]) == 2
    assert "Did you mean recover?" in capsys.readouterr().err
