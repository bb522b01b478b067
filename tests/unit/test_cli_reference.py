"""What is written about the commands is what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blackstart.cli import main
from blackstart.cli.reference import reference
from blackstart.errors import BlackstartError

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/cli.md").read_text() == reference(), "python -m blackstart.cli.reference > docs/cli.md"


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", reference(), re.MULTILINE)}
    assert {kind.exit_code for kind in BlackstartError.__subclasses__()} <= explained


@pytest.mark.parametrize("page", ["docs/ci.md", ".github/workflows/drill.yml"])
def test_ci_calls_only_commands_and_options_that_exist(page: str) -> None:
    calls = re.findall(r"\bblackstart ([a-z]+)((?: --[a-z-]+(?: [\w.\"$]+)?)*)", (ROOT / page).read_text())
    assert {name for name, _ in calls} >= {"drill", "report"}
    for name, options in calls:
        command = main.get_command(main.make_context("blackstart", [name]), name)
        assert command is not None, name
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", options)) <= known, name
