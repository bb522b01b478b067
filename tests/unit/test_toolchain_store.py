"""What reaches the cache reaches it whole; what stops an installation says what to do."""

import errno
from pathlib import Path

import pytest

from blackstart.errors import CommandFailed, Interrupted, ToolFailed
from blackstart.progress import Progress
from blackstart.toolchain import store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_full_disk_is_told_with_what_to_do(cache: Path) -> None:
    with pytest.raises(ToolFailed) as caught, store.installing(Progress()):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.exit_code == 4
    assert str(cache) in caught.value.message
    assert "make room" in caught.value.hint
    assert "make setup" in caught.value.hint


def test_a_full_disk_that_a_compiler_met_is_the_same_error() -> None:
    with pytest.raises(ToolFailed, match="the disk is full"), store.installing(Progress()):
        raise CommandFailed(["go", "build"], 1, "write $WORK/b001/_pkg_.a: no space left on device")


def test_another_failure_of_the_compiler_stays_what_it_is() -> None:
    with pytest.raises(CommandFailed), store.installing(Progress()):
        raise CommandFailed(["go", "build"], 1, "undefined: x")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ToolFailed, match="cannot install into") as caught, store.installing(Progress()):
        pytest.fail("there is no folder to install into")
    assert "BLACKSTART_CACHE" in caught.value.hint


def test_an_interrupt_says_how_to_go_on() -> None:
    with pytest.raises(Interrupted) as caught, store.installing(Progress()):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert "make setup" in caught.value.hint


def test_what_a_killed_run_left_is_removed_at_the_next(cache: Path) -> None:
    left = cache / "staging" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("half a program")
    with store.installing(Progress()):
        assert not left.exists()


def test_a_folder_replaces_an_older_one(tmp_path: Path) -> None:
    for name, text in (("old", "1"), ("new", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / text).write_text(text)
    store.put(tmp_path / "new", tmp_path / "old")
    assert [file.name for file in (tmp_path / "old").iterdir()] == ["2"]


def test_a_file_that_says_it_already_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "a"
    store.write("x", file)
    inode = file.stat().st_ino
    store.write("x", file)
    assert file.stat().st_ino == inode
    store.write("y", file)
    assert file.read_text() == "y"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
