"""The picture of a stopped cluster."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from blackstart.drill.bed import copy


def test_a_socket_that_a_killed_program_left_is_no_part_of_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "repository"
    (source / "embedded").mkdir(parents=True)
    (source / "embedded" / "data").write_text("kept")
    os.symlink("embedded/data", source / "link")
    monkeypatch.chdir(source / "embedded")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind("supervisor.sock")
    copy(source, tmp_path / "picture")
    copied = sorted(str(path.relative_to(tmp_path / "picture")) for path in (tmp_path / "picture").rglob("*"))
    assert copied == ["embedded", "embedded/data", "link"]
    assert (tmp_path / "picture" / "link").is_symlink()
