"""Errors as an operator sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.__main__ import _cluster
from blackstart.errors import CommandFailed, ConfigError, GateTimeout
from blackstart.show import addressed, clean, render_error, show_error


def test_a_failed_command_shows_its_output_its_log_and_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = CommandFailed(
        ["/usr/bin/terraform", f"-chdir={tmp_path}/stacks/my flux", "apply"],
        1,
        "\x1b[31mError:\x1b[0m cannot re-use a name that is still in use\n",
        log=tmp_path / "logs" / "local-flux.log",
        hint="an earlier run was interrupted here. `blackstart recover` adopts what it left.",
    )
    assert render_error(error, step="flux", seconds=12.34).splitlines() == [
        "✘ flux  terraform ended with exit code 1 after 12.3s",
        "",
        "  Error: cannot re-use a name that is still in use",
        "",
        "  command  /usr/bin/terraform '-chdir=stacks/my flux' apply",
        "  log      logs/local-flux.log",
        "  Hint     an earlier run was interrupted here. `blackstart recover` adopts what it left.",
    ]


def test_every_problem_of_a_file_is_shown() -> None:
    error = ConfigError("clusters/a.yaml:1: x\nclusters/a.yaml:2: y", hint="edit clusters/a.yaml")
    assert render_error(error).splitlines() == [
        "✘ clusters/a.yaml:1: x",
        "",
        "  clusters/a.yaml:2: y",
        "",
        "  Hint     edit clusters/a.yaml",
    ]


def test_a_timeout_shows_its_tree() -> None:
    tree = "apps  Kustomization  HealthCheckFailed\n└─ gitlab  HelmRelease  InstallFailed"
    lines = render_error(GateTimeout("not Ready after 10m0s", tree=tree), step="layers").splitlines()
    assert lines == ["✘ layers  not Ready after 10m0s", "", *(f"  {line}" for line in tree.splitlines())]


def test_output_can_not_steer_the_terminal() -> None:
    assert clean("a\x1b]0;title\x07b\x1b[2Jc\rd\n\te") == "abcd\n    e"


def test_a_long_command_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(CommandFailed(["terraform", *["-var"] * 100], 1, ""))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"command  terraform {' '.join(['-var'] * 100)}\n" in captured.err


def test_a_hint_is_about_the_cluster_that_was_named() -> None:
    hint = (
        "look: blackstart status; then `blackstart keys new`, not blackstart --cluster b up; blackstart brings it back"
    )
    there = addressed(hint, "eu-1")
    assert "blackstart --cluster eu-1 status" in there and "`blackstart --cluster eu-1 keys new`" in there
    assert "blackstart --cluster b up; blackstart brings" in there
    assert addressed(hint, "local") == addressed(hint, "") == hint


@pytest.mark.parametrize(
    ("args", "cluster"),
    [
        (["--cluster", "a", "up"], "a"),
        (["up", "--cluster=a"], "a"),
        (["up"], ""),
        (["--cluster", "a", "--cluster", "b", "up"], ""),
    ],
)
def test_the_cluster_of_a_command_line(args: list[str], cluster: str) -> None:
    assert _cluster(args) == cluster
