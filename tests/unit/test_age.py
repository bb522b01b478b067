"""Where the Age key is looked for, what is refused, and that nothing shows it (design, section 3 and 7)."""

from __future__ import annotations

import stat
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import KeyProblem
from blackstart.tools import age
from blackstart.tools.process import allowed_environment, redact

ROOT = Path(__file__).parents[2]


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


def test_several_identities_in_one_file(ws: Workspace) -> None:
    one, two = age.generate(), age.generate()
    age.key_file(ws).write_text(f"# new\n{two.identities}# old\n{one.identities}")
    found = age.find_key(ws, config(one.recipients[0]))
    assert found.recipients == (*two.recipients, *one.recipients)
    assert found.identities == two.identities + one.identities


def test_none_found_names_every_place_and_the_next_command(ws: Workspace) -> None:
    with pytest.raises(KeyProblem, match=r"SOPS_AGE_KEY.*keys/mine\.agekey\.age") as caught:
        age.find_key(ws, config(age.THROWAWAY))
    assert caught.value.exit_code == 7
    assert "keys new" in caught.value.hint


def test_a_key_of_somebody_else_is_refused(ws: Workspace) -> None:
    age.key_file(ws).write_text(age.generate().identities)
    with pytest.raises(KeyProblem, match=r"not among sops\.recipients"):
        age.find_key(ws, config(age.generate().recipients[0]))


@pytest.mark.parametrize("provider", ["kind", "existing"])
def test_the_published_key_is_for_embedded_alone(ws: Workspace, provider: str) -> None:
    age.key_file(ws).write_text((ROOT / "keys" / "local.agekey").read_text())
    assert age.find_key(ws, config(age.THROWAWAY)).recipients == (age.THROWAWAY,)
    with pytest.raises(KeyProblem, match="everybody has"):
        age.find_key(ws, config(age.THROWAWAY, provider=provider))


@pytest.mark.parametrize("text", ["", "# nothing\n", "AGE-SECRET-KEY-1BROKEN", "hunter2", "AGE-SECRET-KEY-PQ-1ABC"])
def test_a_malformed_key_is_told_but_not_repeated(ws: Workspace, text: str) -> None:
    age.key_file(ws).write_text(text)
    with pytest.raises(KeyProblem) as caught:
        age.find_key(ws, config(age.THROWAWAY))
    assert caught.value.exit_code == 7
    assert not text.strip("# \n") or text not in str(caught.value) + caught.value.hint


def test_a_key_file_that_cannot_be_read(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(ws.root / "none"))
    with pytest.raises(KeyProblem, match="cannot read SOPS_AGE_KEY_FILE"):
        age.find_key(ws, config(age.THROWAWAY))


def test_a_key_command_that_fails_does_not_leak_what_it_said(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = age.generate().identities.strip()
    monkeypatch.setenv("SOPS_AGE_KEY_CMD", f"sh -c 'echo {secret} >&2; exit 3'")
    with pytest.raises(KeyProblem, match="SOPS_AGE_KEY_CMD gave no key") as caught:
        age.find_key(ws, config(age.THROWAWAY))
    assert secret not in str(caught.value) + caught.value.hint


def test_nothing_shows_the_key_and_no_child_gets_the_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    key = age.generate()
    assert key.identities.strip() not in repr(key)
    assert key.identities.strip() not in redact(f"see {key.identities}")
    monkeypatch.setenv(age.PASSPHRASE, "x")
    monkeypatch.setenv("BLACKSTART_CLUSTER", "y")
    assert age.PASSPHRASE not in allowed_environment()
    assert "BLACKSTART_CLUSTER" in allowed_environment()


def test_the_published_key_is_the_one_in_the_repository() -> None:
    found = age.parse((ROOT / "keys" / "local.agekey").read_text(), "keys/local.agekey")
    assert found.recipients == (age.THROWAWAY,)
    assert stat.S_ISREG((ROOT / "keys" / "local.agekey").stat().st_mode)


@given(st.text())
def test_any_text_gives_a_key_or_a_key_problem(text: str) -> None:
    try:
        assert age.parse(text, "here").recipients
    except KeyProblem as problem:
        assert problem.exit_code == 7


def test_only_its_own_key_opens_a_blob() -> None:
    mine, other = age.generate(), age.generate()
    recipient = pyrage.x25519.Recipient.from_str(mine.recipients[0])
    blob = pyrage.encrypt(b"data key", [recipient], armored=True).decode()
    assert age.decrypt(blob, other.identities + mine.identities) == b"data key"
    with pytest.raises(KeyProblem):
        age.decrypt(blob, other.identities)


def test_a_busy_machine_opens_a_sealed_key_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyrage measures the machine for two milliseconds; another program that runs in them makes it look slow."""
    key = age.generate()
    sealed = age.seal(key, "correct horse").encode()
    looks = [pyrage.DecryptError("Excessive work parameter for passphrase.\nIt would take long.")] * 2
    really = age.passphrase.decrypt

    def busy(blob: bytes, phrase: str) -> bytes:
        if looks:
            raise looks.pop()
        return really(blob, phrase)

    monkeypatch.setattr(age.passphrase, "decrypt", busy)
    assert key.identities in age.unseal(sealed, "correct horse", "here")
    assert looks == []


def test_a_slow_machine_is_told_from_a_wrong_passphrase() -> None:
    """With the real library: a file that asks for 2^40 rounds is refused before any is done."""
    lines = bytes(pyrage.passphrase.encrypt(b"x", "correct horse")).split(b"\n")
    lines[1] = lines[1].rsplit(b" ", 1)[0] + b" 40"
    with pytest.raises(KeyProblem, match="times as fast") as caught:
        age.unseal(b"\n".join(lines), "correct horse", "here")
    assert "age -d here" in caught.value.hint
