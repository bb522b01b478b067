"""One cluster on the test bed for all tests that bring it back to what it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blackstart.steps.k3s_token import KeepToken
from blackstart.steps.prepare import FindKey, PinCommit, Synthesize
from blackstart.steps.run import Run
from tests.desk import lay
from tests.k3s.bed import Bed, reason_to_skip


def up(bed: Bed) -> Run:
    """The part of `up` that makes the cluster."""
    from blackstart.steps.apply import ApplyCluster

    return bed.run(FindKey(), PinCommit(), Synthesize(), KeepToken(), ApplyCluster())


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Three servers and two agents on which nothing is installed; their cluster file and key."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    desk = lay(tmp_path_factory.mktemp("desk"))
    bed = Bed(desk.__class__(desk.root, desk.port, "bed"), tmp_path_factory.mktemp("bed"))
    try:
        bed.prepare()
        for name in ("s1", "s2", "s3", "a1", "a2"):
            bed.add(name)
        write(bed)
        bed.desk.good("keys", "new")
        bed.desk.commit("a key")
        yield bed
    finally:
        bed.end()


def write(bed: Bed, *more: str, **other: object) -> None:
    """The usual cluster file, with `more` agents."""
    hosts = bed.hosts
    bed.write([hosts["s1"], hosts["s2"], hosts["s3"]], [hosts[name] for name in ("a1", "a2", *more)], **other)
