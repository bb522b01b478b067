"""The picture of a stopped cluster, and the ports of a bed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from blackstart.drill import bed
from blackstart.drill.bed import copy, free_port
from blackstart.errors import ToolFailed


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


def test_a_port_is_given_to_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(bed, "PORTS", range(port, port + 1))
    with pytest.raises(ToolFailed, match=f"no port is free between {port}"):
        free_port()


def test_a_port_where_somebody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setattr(bed, "PORTS", range(port, port + 1))
        with pytest.raises(ToolFailed):
            free_port()
