"""What stops a run before anything is installed: no control plane is needed."""

from __future__ import annotations

import pytest

from blackstart.errors import ToolFailed
from blackstart.keys import k3s_token
from blackstart.steps.k3s_token import KeepToken
from blackstart.steps.prepare import FindKey
from tests.k3s.bed import Bed
from tests.k3s.conftest import failure, provider

pytestmark = pytest.mark.timeout(300)


def untouched(lone: Bed) -> bool:
    host = lone.hosts["s1"].folder
    return lone.events() == [] and not (host / "etc" / "token").exists() and not (host / "version").exists()


def test_a_host_with_another_key_is_refused_by_terraform_and_by_ssh(lone: Bed) -> None:
    other = lone.add("other", known=False)
    port = lone.hosts["s1"].port
    (lone.folder / "known_hosts").write_text("".join(f"[127.0.0.1]:{port} {key}\n" for key in other.public_keys))
    failed = failure(lone)
    assert "knownhosts: key mismatch" in failed.tail
    assert "known_hosts lacks" in failed.hint
    with pytest.raises(ToolFailed, match="Host key verification failed"):
        provider(lone).exists()
    assert untouched(lone)


def test_a_host_that_nobody_verified_stops_the_synth(lone: Bed) -> None:
    lone.write([lone.hosts["s1"]], [lone.add("a7", known=False)])
    failed = failure(lone)
    assert "host a7" in failed.tail and "never accepted" in failed.tail
    assert "ssh-keyscan" in failed.hint
    assert untouched(lone)


def test_a_wrong_user_is_told_from_a_lost_cluster(lone: Bed) -> None:
    lone.write([lone.hosts["s1"]], ssh=lone.ssh(timeout=3, user="nobody-here"))
    assert "unable to authenticate" in failure(lone).tail
    with pytest.raises(ToolFailed, match="Permission denied"):
        provider(lone).exists()
    assert untouched(lone)


def test_a_full_disk_is_told_with_the_name_of_the_host(lone: Bed) -> None:
    lone.hosts["s1"].fail("before")
    told = failure(lone).tail
    assert "host s1: the join failed" in told
    assert "No space left on device" in told


def test_the_token_is_made_once_and_not_while_a_host_may_have_one(lone: Bed) -> None:
    path = k3s_token.file_of(lone.desk.ws)
    first = path.read_text()
    lone.run(FindKey(), KeepToken())
    assert path.read_text() == first
    assert "recipient: age1" in first
    path.unlink()
    lone.hosts["s1"].stop()
    with pytest.raises(ToolFailed, match=r"host s1 .* does not answer"):
        lone.run(FindKey(), KeepToken())
    assert not path.exists()
