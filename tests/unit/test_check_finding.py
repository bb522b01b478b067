"""What findings mean for a run: exit codes, errors, text."""

from __future__ import annotations

import pytest

from blackstart.check.finding import Finding, Severity, exit_code, found, pointed_out, ready, require
from blackstart.errors import ConfigError, KeyProblem, MissingTool, Unsafe
from blackstart.tools.manifests import Place

PLACE = Place("f.yaml", 3)


def one(id: str) -> Finding:
    return found(id, PLACE, f"about {id}", f"mend {id}")


WARNING = pointed_out("one-recipient", PLACE, "only one", "add one")


def test_exit_codes_are_of_the_worst() -> None:
    assert exit_code([]) == 0 and exit_code([WARNING]) == 0
    assert exit_code([WARNING, one("no-layers")]) == 2
    assert exit_code([one("no-layers"), one("key-missing")]) == 7


def test_a_warning_does_not_stop_a_run() -> None:
    require([])
    require([WARNING])
    assert ready([WARNING]) and not ready([one("no-layers")])


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (("no-layers", "tool-missing"), ConfigError),
        (("no-layers", "secret-mac-invalid"), KeyProblem),
        (("builtin-elsewhere", "no-layers"), Unsafe),
        (("tool-missing",), MissingTool),
    ],
)
def test_a_run_ends_with_the_error_that_fits(ids: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        require([*(one(id) for id in ids), WARNING])
    assert caught.type is error
    for id in ids:
        assert f"f.yaml:3: about {id} [{id}]" in str(caught.value)
    assert "only one" not in str(caught.value)


def test_as_json_and_text() -> None:
    assert WARNING.as_json() == {
        "id": "one-recipient",
        "file": "f.yaml",
        "line": 3,
        "message": "only one",
        "hint": "add one",
        "severity": "warning",
    }
    assert str(found("x", Place("clock", 0), "m", "h")) == "clock: m [x]"
    assert WARNING.severity is Severity.WARNING
