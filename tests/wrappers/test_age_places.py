"""Where the Age key is looked for, passphrases and key commands included (design, section 3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import KeyProblem
from blackstart.tools import age


@pytest.fixture(autouse=True)
def _no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", age.PASSPHRASE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    (tmp_path / "keys").mkdir()
    return Workspace(tmp_path, "mine")


def config(*recipients: str, provider: str = "embedded") -> ClusterConfig:
    cluster = {"provider": provider}
    return ClusterConfig.model_validate(
        {
            "cluster": cluster,
            "git": {"url": "https://git.invalid/x", "path": "gitops"},
            "sops": {"recipients": list(recipients)},
        }
    )


def test_the_places_are_tried_in_their_order(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {name: age.generate() for name in ("env", "file", "cmd", "clear", "sealed")}
    wanted = config(*(key.recipients[0] for key in keys.values()))
    monkeypatch.setenv(age.PASSPHRASE, "correct horse")
    age.sealed_file(ws).write_text(age.seal(keys["sealed"], "correct horse"))
    found = [age.find_key(ws, wanted)]
    age.key_file(ws).write_text(keys["clear"].identities)
    found.append(age.find_key(ws, wanted))
    (ws.root / "cmd.key").write_text(keys["cmd"].identities)
    monkeypatch.setenv("SOPS_AGE_KEY_CMD", f"cat '{ws.root / 'cmd.key'}'")
    found.append(age.find_key(ws, wanted))
    (ws.root / "file.key").write_text("# comment\n\n" + keys["file"].identities)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(ws.root / "file.key"))
    found.append(age.find_key(ws, wanted))
    monkeypatch.setenv("SOPS_AGE_KEY", keys["env"].identities)
    found.append(age.find_key(ws, wanted))
    order = ("sealed", "clear", "cmd", "file", "env")
    assert [one.identities for one in found] == [keys[name].identities for name in order]
    assert [one.where for one in found] == [
        "keys/mine.agekey.age",
        "keys/mine.agekey",
        "SOPS_AGE_KEY_CMD",
        "SOPS_AGE_KEY_FILE",
        "SOPS_AGE_KEY",
    ]


def test_a_wrong_passphrase_and_no_terminal(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    key = age.generate()
    age.sealed_file(ws).write_text(age.seal(key, "right"))
    with pytest.raises(KeyProblem, match="no terminal") as caught:
        age.find_key(ws, config(*key.recipients))
    assert age.PASSPHRASE in caught.value.hint
    monkeypatch.setenv(age.PASSPHRASE, "wrong one")
    with pytest.raises(KeyProblem, match="does not open"):
        age.find_key(ws, config(*key.recipients))
