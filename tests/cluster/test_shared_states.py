"""States that a team shares, by terraform's own backends: an HTTP server with locks, then a real S3 server (issue 8).

One cluster for both: each backend begins without states, which is what `recover` calls a lost state.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart import toolchain
from tests.cluster import http_states, s3_server
from tests.desk import Desk
from tests.secrecy.searching import Secret, in_files

STACKS = ("local-cluster", "local-sops-age", "local-flux")
HOLDER = {"ID": "d7e4ab3c-0000-4000-8000-000000000000", "Who": "someone@elsewhere", "Operation": "OperationTypeApply"}


@pytest.fixture(scope="module")
def shared(ready: Desk) -> Iterator[Desk]:
    """The Ready desk, ready to keep its states elsewhere; at the end they are local again."""
    file = ready.root / "clusters/local.yaml"
    plain = file.read_text()
    try:
        yield ready
    finally:
        file.write_text(plain)
        ready.commit("local states")
        shutil.rmtree(ready.ws.states, ignore_errors=True)
        ready.good("recover", "--yes")


def keep_states(desk: Desk, section: str, variables: dict[str, str]) -> Desk:
    """The same desk with its states elsewhere."""
    file = desk.root / "clusters/local.yaml"
    file.write_text(file.read_text().partition("state:")[0] + section)
    desk.commit("states elsewhere")
    return replace(desk, extra=variables)


def pods(desk: Desk) -> set[str]:
    """The UIDs of all pods."""
    return {pod["metadata"]["uid"] for pod in desk.api().list_all("Pod")}


def unlock_as_told(desk: Desk, said: str) -> None:
    """Run the command of the hint, without its question."""
    told = shlex.split(said.partition("process is dead: ")[2].splitlines()[0])
    where = told.index("force-unlock") + 1
    argv = [str(toolchain.path("terraform")), *told[1:where], "-force", *told[where:]]
    subprocess.run(argv, cwd=desk.root, env=desk.environment(), check=True, timeout=60, capture_output=True)


def require_no_leak(desk: Desk, password: str) -> None:
    """The password of the states is in no file."""
    assert in_files([Secret(password)], [desk.root], lambda path: False) == []


@pytest.mark.cluster
def test_an_http_server_with_locks(shared: Desk) -> None:
    with http_states.serve() as shelf:
        desk = keep_states(shared, shelf.section, shelf.variables)
        refused = shared.run("up")
        assert refused.code == 4 and "requires auth" in refused.stderr and "TF_HTTP_" in refused.stderr, refused.stderr

        before = pods(desk)
        desk.good("recover", "--yes")  # no state is there: a lost state
        assert pods(desk) == before
        assert {path.strip("/") for path in shelf.states} == set(STACKS)
        assert shelf.touched >= len(STACKS) and not shelf.locks, "each state was locked, and is not any more"

        shelf.locks["/local-flux"] = HOLDER
        locked = desk.run("up")
        assert locked.code == 9 and HOLDER["ID"] in locked.stderr
        unlock_as_told(desk, locked.stderr)
        assert "nothing to change" in desk.good("up").stderr
        require_no_leak(desk, shelf.password)


@pytest.mark.cluster
def test_an_s3_server_and_a_lost_cluster(shared: Desk, tmp_path: Path) -> None:
    with s3_server.serve(tmp_path) as bucket:
        desk = keep_states(shared, bucket.section, bucket.variables)
        before = pods(desk)
        desk.good("up")  # adopts what is there
        assert pods(desk) == before
        made = {stack: bucket.serial(f"local/{stack}.tfstate") for stack in STACKS}

        desk.remove_cluster()
        lost = desk.good("-o", "json", "recover", "--yes")
        assert lost.events()[-1]["status"] == "ready"
        assert desk.good("-o", "json", "status").json()["ready"] is True
        now = {stack: bucket.serial(f"local/{stack}.tfstate") for stack in STACKS}
        assert all(now[stack][0] == made[stack][0] and now[stack][1] > made[stack][1] for stack in STACKS)
        assert {path.name.partition(".")[0] for path in desk.ws.backups.iterdir()} >= set(STACKS)
        assert not any(bucket.read(f"local/{stack}.tfstate.tflock") for stack in STACKS)
        require_no_leak(desk, bucket.password)
