"""One cluster on the test bed for all tests that bring it back to what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.config import load
from blackstart.errors import CommandFailed
from blackstart.providers.k3s import K3sProvider
from blackstart.steps.k3s_token import KeepToken
from blackstart.steps.prepare import FindKey
from blackstart.steps.run import Run
from tests.desk import lay
from tests.k3s.bed import VERSION, Bed, reason_to_skip
from tests.k3s.host import Host
from tests.k3s.up import STEPS


def up(bed: Bed) -> Run:
    """The part of `up` that makes the cluster."""
    return bed.run(*STEPS)


def failure(bed: Bed) -> CommandFailed:
    """The same, which must fail in terraform or in the synth."""
    with pytest.raises(CommandFailed) as failed:
        up(bed)
    return failed.value


@contextmanager
def laid(folder: Path, *names: str) -> Iterator[Bed]:
    """A bed with these hosts and an operator's desk; nothing of it is left running."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    (folder / "desk").mkdir()
    (folder / "bed").mkdir()
    desk = lay(folder / "desk")
    bed = Bed(replace(desk, cluster="bed"), folder / "bed")
    try:
        bed.prepare()
        for name in names:
            bed.add(name)
        yield bed
    finally:
        bed.end()


def provider(bed: Bed) -> K3sProvider:
    """Who answers for the cluster."""
    return K3sProvider(bed.desk.ws, load(bed.desk.root, "bed"))


def give_key(bed: Bed) -> None:
    """The cluster's own key, once it has a file."""
    bed.desk.good("keys", "new")
    bed.desk.commit("a key")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Three servers and two agents on which nothing is installed; their cluster file and key."""
    with laid(tmp_path_factory.mktemp("k3s"), "s1", "s2", "s3", "a1", "a2") as bed:
        write(bed)
        give_key(bed)
        yield bed


@pytest.fixture(scope="session")
def bed(empty: Bed) -> Bed:
    """The cluster, made; who changes it leaves a whole one."""
    assert not provider(empty).exists().exists
    run = up(empty)
    events = empty.events()
    servers = [event for event in events if "server" in event]
    assert servers == [f"install server {name} {VERSION}" for name in ("s1", "s2", "s3")]
    assert {event for event in events if "agent" in event} == {
        f"install agent {name} {VERSION}" for name in ("a1", "a2")
    }
    assert not any(event.startswith("drain") for event in events)
    assert run.applied["bed-cluster"].added > 0
    return empty


@pytest.fixture
def events(bed: Bed) -> Callable[[], list[str]]:
    """What the hosts did since the test began, or since the last time that it asked."""
    bed.events()
    return bed.events


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Bed]:
    """One server on which nothing is installed; its token is made."""
    with laid(tmp_path, "s1") as bed:
        bed.write([bed.hosts["s1"]], ssh=bed.ssh(timeout=5))
        give_key(bed)
        bed.run(FindKey(), KeepToken())
        yield bed


def write(bed: Bed, more: Sequence[Host] = (), **other: object) -> None:
    """The usual cluster file, with `more` agents."""
    hosts = bed.hosts
    bed.write([hosts["s1"], hosts["s2"], hosts["s3"]], [hosts["a1"], hosts["a2"], *more], **other)
