"""No exception, log or traceback carries the key, whatever a program does with it (issue 5)."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from blackstart import __main__ as entry
from blackstart.config import Workspace
from blackstart.errors import BlackstartError
from blackstart.keys import custody, rotation
from blackstart.show import render_error
from blackstart.tools import age
from blackstart.tools.sops import Sops, SopsFile
from blackstart.tools.terraform import Terraform
from tests.secrecy.searching import Secret

KEY = age.generate()
SECRET = Secret(KEY.identities)
TELLTALE = """\
#!/bin/sh
# Tells everything it knows, as a program does that is asked to trace.
env
env >&2
[ -f "$SOPS_AGE_KEY_FILE" ] && cat "$SOPS_AGE_KEY_FILE" && base64 -w0 "$SOPS_AGE_KEY_FILE" >&2
printf '%s' "$TF_VAR_age_key" | base64 -w0
exit 1
"""


@pytest.fixture
def telltale(tmp_path: Path) -> Path:
    path = tmp_path / "telltale"
    path.write_text(TELLTALE)
    path.chmod(0o755)
    return path


def texts_of(error: BaseException) -> list[str]:
    """The error, how it is shown, its traceback, what it carries."""
    shown = render_error(error) if isinstance(error, BlackstartError) else ""
    return [str(error), repr(error), shown, "".join(traceback.format_exception(error)), repr(vars(error))]


def clean(error: BaseException, *more: str) -> None:
    """Neither the error, nor how it is shown, nor its traceback holds the key."""
    assert [form for text in (*texts_of(error), *more) for form in SECRET.forms_in(text.encode())] == []


@pytest.mark.parametrize("call", [Terraform.init, Terraform.apply, Terraform.destroy, Terraform.pull, Terraform.plan])
def test_terraform_that_tells_everything(tmp_path: Path, telltale: Path, call: Callable[[Terraform], object]) -> None:
    log = tmp_path / "log"
    terraform = Terraform(tmp_path, binary=telltale, env={"TF_VAR_age_key": KEY.identities}, log=log)
    with pytest.raises(BlackstartError) as caught:
        call(terraform)
    clean(caught.value, log.read_text() if log.exists() else "")


@pytest.mark.parametrize("call", [Sops.rotate, Sops.updatekeys, Sops.encrypt_in_place])
def test_sops_that_tells_everything(tmp_path: Path, telltale: Path, call: Callable[[Sops, str], None]) -> None:
    keyfile = tmp_path / "key"
    keyfile.write_text(custody.text_of(KEY))
    with pytest.raises(BlackstartError) as caught:
        call(Sops(telltale, tmp_path, keyfile), "a.yaml")
    clean(caught.value)


def test_what_the_key_commands_raise(tmp_path: Path) -> None:
    ws = Workspace(tmp_path, "mine")
    (tmp_path / "keys").mkdir()
    (tmp_path / "clusters").mkdir()
    age.key_file(ws).write_text(KEY.identities)
    calls: list[Callable[[], object]] = [
        lambda: custody.new_key(ws),
        lambda: custody.restore(ws, age.key_file(ws)),
        lambda: custody.write_new(age.key_file(ws), KEY.identities),
        lambda: rotation.without_old(KEY, rotation.Rotation(KEY.recipients[0], "age1x")),
        lambda: age.parse(KEY.identities + "AGE-SECRET-KEY-1BROKEN", "here"),
        lambda: SopsFile.parse(KEY.identities, "a.yaml"),
        lambda: SopsFile.parse(f"a: [{KEY.identities}", "a.yaml"),
    ]
    for call in calls:
        with pytest.raises(BlackstartError) as caught:
            call()
        clean(caught.value)


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("held", [KEY.identities, base64.b64encode(KEY.identities.encode()).decode()])
def test_a_bug_that_has_the_key_in_its_hands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], held: str, debug: list[str]
) -> None:
    """An exception that nobody expected is shown, but never with the key."""

    def bug(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"cannot handle {held}")

    monkeypatch.setattr("blackstart.cli.main.main", bug)
    assert entry.run([*debug, "up"]) == 1
    said = "".join(capfd.readouterr())
    assert "RuntimeError" in said
    assert list(SECRET.forms_in(said.encode())) == []
