"""Every error that an operator can meet says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from blackstart import errors
from blackstart.errors import BlackstartError, CommandFailed
from blackstart.show import BY_HAND, render_error

PACKAGE = Path(errors.__file__).parent
KINDS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BlackstartError)
} - {CommandFailed.__name__}  # has a hint of its own where nobody gives a better one
KINDS |= {"ApiDenied", "NotThere", "UnknownKind", "Conflict"}


def made_in(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each place of a file where such an error is made."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_each_error_is_made_with_a_hint() -> None:
    made = [one for path in PACKAGE.rglob("*.py") for one in made_in(path)]
    assert len(made) > 100
    without = [where for where, call in made if not any(word.arg in ("hint", None) for word in call.keywords)]
    assert without == []


def test_a_program_that_failed_can_be_run_by_hand() -> None:
    assert render_error(CommandFailed(["git", "x"], 1, "")).endswith(f"  Hint     {BY_HAND}")
