"""The real git: what is read of a repository, what Flux would see of it, what is published."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from blackstart.errors import ConfigError, ToolFailed
from blackstart.tools.git import Git, credentials_environment

WHO = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false")


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(where), *WHO, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(where: Path, files: dict[str, str], subject: str = "more") -> str:
    for name, text in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", subject)
    return git(where, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    where = tmp_path / "src"
    where.mkdir()
    git(where, "init", "-q", "-b", "work")
    commit(where, {"gitops/a.yaml": "a: 1\n"}, "First")
    return where


def test_head_and_ref(root: Path) -> None:
    first = git(root, "rev-parse", "HEAD")
    second = commit(root, {"b": "b"}, "Second: more words")
    door = Git(root)
    assert door.is_repository()
    assert (door.head().sha, door.head().subject) == (second, "Second: more words")
    assert door.resolve(first[:9]).sha == first
    assert door.is_ancestor(first, second) and not door.is_ancestor(second, first)
    assert not door.is_ancestor("0" * 40, second)
    assert door.knows(first) and not door.knows("0" * 40)
    assert door.read(door.head(), "b") == "b" and door.read(door.resolve(first), "b") is None


def test_dirty_sees_changes_and_new_files(root: Path) -> None:
    door = Git(root)
    assert not door.dirty()
    (root / "new").write_text("x")
    assert door.dirty()


def test_paths_at_a_commit(root: Path) -> None:
    door = Git(root)
    (root / "uncommitted").mkdir()
    (root / "uncommitted" / "x").write_text("x")
    assert door.path_exists(door.head(), "./gitops/") and not door.path_exists(door.head(), "uncommitted")
    with pytest.raises(ConfigError, match=r"uncommitted does not exist at commit [0-9a-f]{7}") as caught:
        door.require_path(door.head(), "uncommitted")
    assert "git add uncommitted" in caught.value.hint


def test_each_unusable_repository_says_what_to_do(tmp_path: Path, root: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    wanted = ((plain, "not a Git repository"), (empty, "no commits"), (root, "knows no commit nowhere"))
    for where, message in wanted:
        with pytest.raises(ConfigError, match=message) as caught:
            Git(where).resolve("nowhere")
        assert caught.value.exit_code == 2 and caught.value.hint
    assert not Git(plain).is_repository()
    assert not Git(root / "gitops").is_repository()


def test_a_ref_is_never_an_option(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Git(root).resolve(f"--output={tmp_path / 'evil'}")
    assert not list(tmp_path.glob("evil*"))


def _tree(where: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(where.rglob("*")) if path.is_file()}


def test_publish_serves_the_commit_and_leaves_the_repository_alone(root: Path, tmp_path: Path) -> None:
    door, bare = Git(root), tmp_path / "x" / "git.git"
    first = door.head()
    commit(root, {"b": "b"})
    before = _tree(root)
    door.publish(first, bare, "main")
    assert git(bare, "rev-parse", "main") == first.sha == git(bare, "rev-parse", "HEAD")
    door.publish(door.head(), bare, "main")
    assert git(bare, "rev-parse", "main") == door.head().sha
    door.publish(first, bare, "main")
    assert git(bare, "rev-parse", "main") == first.sha, "a branch may go back"
    assert git(bare, "config", "http.receivepack") == "false"
    assert bare.stat().st_mode & 0o777 == 0o700
    assert _tree(root) == before


def test_publish_a_commit_that_no_branch_names(root: Path, tmp_path: Path) -> None:
    git(root, "checkout", "-q", "--detach")
    lost = commit(root, {"b": "b"})
    git(root, "checkout", "-q", "work")
    door = Git(root)
    door.publish(door.resolve(lost), tmp_path / "git.git", "main")
    assert git(tmp_path / "git.git", "rev-parse", "main") == lost


def test_publish_from_a_shallow_clone_and_a_linked_worktree(root: Path, tmp_path: Path) -> None:
    head = commit(root, {"b": "b"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{root}", "shallow")
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    for name in ("shallow", "linked"):
        door = Git(tmp_path / name)
        bare = tmp_path / f"{name}.git"
        assert door.is_repository()
        door.publish(door.head(), bare, "main")
        git(tmp_path, "clone", "-q", "--depth=1", "-b", "main", f"file://{bare}", f"{name}-copy")
        assert git(tmp_path / f"{name}-copy", "rev-parse", "HEAD") == head


def test_export_is_what_flux_sees(root: Path, tmp_path: Path) -> None:
    files = {
        "logo.png": "p",
        ".sops.yaml": "s",
        ".github/x": "x",
        "keep.txt": "k",
        ".gitattributes": "keep.txt export-ignore\nkeep.txt text eol=crlf\n",
    }
    (root / "link").symlink_to("/etc")
    commit(root, {**files, "keep.txt": "k\n"})
    (root / "keep.txt").write_text("not committed")
    left = Git(root).export(Git(root).head(), tmp_path / "out")
    assert left == {"logo.png", ".sops.yaml", ".github/x", ".gitattributes", "link"}
    assert _names(tmp_path / "out") == ["gitops/a.yaml", "keep.txt"]
    assert (tmp_path / "out" / "keep.txt").read_bytes() == b"k\n", "the bytes of the commit"


def test_export_honours_sourceignore_by_files_the_last_pattern_decides(root: Path, tmp_path: Path) -> None:
    files = {
        ".sourceignore": "# all but deploy\n/*\n!/deploy\n!*.keep\n",
        "deploy/a.yaml": "a",
        "deploy/secret.md": "m",
        "deploy/.sourceignore": "*.md\n!/sub/read.md\n",
        "deploy/sub/read.md": "r",
        "deploy/sub/other.md": "o",
        "other/x.keep": "k",
        "logo.png": "p",
        "deploy/logo.png": "p",
    }
    commit(root, files)
    left = Git(root).export(Git(root).head(), tmp_path / "out")
    seen = ["deploy/.sourceignore", "deploy/a.yaml", "deploy/logo.png", "deploy/sub/read.md", "other/x.keep"]
    assert _names(tmp_path / "out") == seen
    assert left == {".sourceignore", "deploy/secret.md", "deploy/sub/other.md", "logo.png", "gitops/a.yaml"}


def test_export_never_runs_a_filter_of_the_repository(root: Path, tmp_path: Path) -> None:
    commit(root, {".gitattributes": "*.yaml filter=evil\n"})
    git(root, "config", "filter.evil.smudge", f"touch {tmp_path / 'ran'}; cat")
    Git(root).export(Git(root).head(), tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_remote_head(root: Path, tmp_path: Path) -> None:
    door = Git(root)
    assert door.remote_head(f"file://{root}", "work") == door.head().sha
    with pytest.raises(ConfigError, match="has no branch main"):
        door.remote_head(f"file://{root}", "main")
    with pytest.raises(ToolFailed, match="cannot read file://") as caught:
        door.remote_head(f"file://{tmp_path}/nowhere", "main")
    assert "git.url" in caught.value.hint
    with pytest.raises(ToolFailed, match=r"Connection refused|cannot run ssh"):
        door.remote_head("ssh://git@127.0.0.1:1/ops/fleet", "main")


def test_credentials_stay_out_of_argv_and_leave_no_file() -> None:
    with credentials_environment({"identity": "PRIVATE", "known_hosts": "host key"}) as env:
        identity = Path(env["GIT_SSH_COMMAND"].split(" -i ")[1].split()[0])
        assert identity.stat().st_mode & 0o777 == 0o600 and identity.read_text() == "PRIVATE\n"
        assert "PRIVATE" not in env["GIT_SSH_COMMAND"]
    assert not identity.parent.exists()
    with credentials_environment({"username": "u", "password": "p"}) as env:
        assert env["GIT_CONFIG_VALUE_0"] == "Authorization: Basic dTpw"
    with credentials_environment({}) as env:
        assert env == {}


def _names(where: Path) -> list[str]:
    return sorted(str(path.relative_to(where)) for path in where.rglob("*") if not path.is_dir())
