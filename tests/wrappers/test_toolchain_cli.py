"""`blackstart toolchain list` and `install`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.cli import main


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_list_is_a_table_of_every_program() -> None:
    done = CliRunner().invoke(main, ["toolchain", "list"])
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["PROGRAM"] == ["PROGRAM", "VERSION", "SOURCE"]
    assert rows["kube-apiserver"][2] == "missing"
    assert rows["node"][2] == "wheel"


def test_the_list_as_json_is_one_object_a_line() -> None:
    done = CliRunner().invoke(main, ["--output", "json", "toolchain", "list"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"name", "version", "source", "path"} == set(rows[0])
    sops = next(row for row in rows if row["name"] == "sops")
    assert Path(sops["path"]).is_file()


def test_installing_what_is_there_says_so_on_stderr() -> None:
    done = CliRunner().invoke(main, ["toolchain", "install", "node", "sops"])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "everything is there" in done.stderr
