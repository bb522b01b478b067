"""A state that somebody holds, by the real terraform and terraform's HTTP backend: exit 9 with the owner; what a dead
run of ours has left is released, and nothing else is (issue 4)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from blackstart import toolchain
from blackstart.errors import Locked
from blackstart.tools.state_lock import LOG, LockLog
from blackstart.tools.terraform import Terraform

HOLDER = {"ID": "d7e4ab3c-0000-4000-8000-000000000000", "Who": "someone@host", "Created": "2026-01-01T00:00:00Z"}
STATE = {"version": 4, "serial": 1, "lineage": "l", "resources": []}
APPLY = """
import sys
from pathlib import Path
from blackstart import toolchain
from blackstart.tools.state_lock import LockLog
from blackstart.tools.terraform import Terraform
folder, run = Path(sys.argv[1]), Path(sys.argv[2])
env = {"TF_CLI_CONFIG_FILE": str(folder / "rc")}
locks = LockLog(run.parent, run, print)
Terraform(folder, binary=toolchain.path("terraform"), env=env, locks=locks).apply(
    on_resource=lambda what: print("applying", flush=True)
)
"""


class Backend(ThreadingHTTPServer):
    """One state and its lock, as terraform's HTTP backend keeps them; `held` is the lock info of who has it."""

    held: dict[str, Any] | None = None
    state: bytes = json.dumps(STATE).encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Door(BaseHTTPRequestHandler):
    """The protocol: a lock that is taken is refused with its holder's info, and only who holds it may release it."""

    server: Backend

    def do_GET(self) -> None:
        self._answer(200, self.server.state)

    def do_POST(self) -> None:
        self.server.state = self._body()
        self._answer(200)

    def do_LOCK(self) -> None:
        asked = json.loads(self._body())
        if self.server.held:
            self._answer(423, json.dumps(self.server.held).encode())
        else:
            self.server.held = asked
            self._answer(200)

    def do_UNLOCK(self) -> None:
        asked = json.loads(self._body())
        if self.server.held and asked["ID"] != self.server.held["ID"]:
            self._answer(409, json.dumps(self.server.held).encode())
        else:
            self.server.held = None
            self._answer(200)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setattr("blackstart.tools.terraform.LOCK_TIMEOUT", "0s")
    with Backend(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def stack(tmp_path: Path, backend: Backend) -> Path:
    """A stack's folder, initialized; while `wait` lies there, its apply does not end."""
    folder = tmp_path / "stack"
    folder.mkdir()
    settings = {"address": backend.url, "lock_address": backend.url, "unlock_address": backend.url, "retry_max": 0}
    wait = f"while test -e {folder}/wait; do sleep 0.1; done"
    resource = {"terraform_data": {"x": {"provisioner": {"local-exec": {"command": wait}}}}}
    configuration = {"terraform": {"backend": {"http": settings}}, "resource": resource}
    (folder / "cdk.tf.json").write_text(json.dumps(configuration))
    (folder / "rc").write_text("")
    terraform(folder).init()
    return folder


def terraform(folder: Path, locks: LockLog | None = None) -> Terraform:
    env = {"TF_CLI_CONFIG_FILE": str(folder / "rc")}
    return Terraform(folder, binary=toolchain.path("terraform"), env=env, locks=locks)


def log(tmp_path: Path, run: str) -> tuple[LockLog, list[str]]:
    """The log of one run among `runs`, and what it tells."""
    folder, told = tmp_path / "runs" / run, list[str]()
    folder.mkdir(parents=True)
    return LockLog(folder.parent, folder, told.append), told


def test_the_owner_of_a_remote_lock_is_named(tmp_path: Path, stack: Path, backend: Backend) -> None:
    backend.held = HOLDER
    locks, told = log(tmp_path, "1")
    door = terraform(stack, locks)
    for act in (door.apply, lambda: door.forget(["terraform_data.x"])):
        with pytest.raises(Locked, match=HOLDER["ID"]) as refused:
            act()
        assert refused.value.exit_code == 9
        assert f"force-unlock {HOLDER['ID']}" in refused.value.hint
    assert (backend.held, told) == (HOLDER, [])


def test_a_lock_that_a_killed_run_of_ours_left_is_released(tmp_path: Path, stack: Path, backend: Backend) -> None:
    (stack / "wait").touch()
    locks, _ = log(tmp_path, "1")
    argv = [sys.executable, "-c", APPLY, str(stack), str(locks.folder)]
    killed = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None and killed.stdout.readline() == "applying\n"
    held = backend.held
    assert held is not None
    last = json.loads((locks.folder / LOG).read_text().splitlines()[-1])
    assert last["lock"] == held
    killed.kill()
    killed.wait(10)

    again, told = log(tmp_path, "2")
    with pytest.raises(Locked):  # terraform itself lives on
        terraform(stack, again).apply()
    assert backend.held == held

    os.kill(last["pid"], signal.SIGKILL)
    (stack / "wait").unlink()
    _gone(last["pid"])
    assert not terraform(stack, again).apply().nothing
    assert backend.held is None
    assert [held["ID"] in line and "released" in line for line in told] == [True]


def test_nothing_is_released_that_is_not_proven(tmp_path: Path, stack: Path, backend: Backend) -> None:
    backend.held = HOLDER
    locks, _ = log(tmp_path, "1")
    dead = {"lock": HOLDER, "pid": 2**22 - 1, "started": 0.0, "where": "another host"}
    (locks.folder / LOG).write_text(f"{json.dumps(dead)}\n{{cut off")
    with pytest.raises(Locked):
        terraform(stack, locks).apply()
    assert backend.held == HOLDER


def test_a_look_at_a_free_lock_leaves_it_free(tmp_path: Path, stack: Path, backend: Backend) -> None:
    locks, _ = log(tmp_path, "1")
    locks.look({"http": {"lock_address": backend.url, "unlock_address": backend.url}}, os.getpid())
    assert backend.held is None
    assert len((locks.folder / LOG).read_text().splitlines()) == 1, "what was asked for, in case we are killed"
    locks.look({"http": {"lock_address": backend.url, "unlock_address": backend.url, "client_private_key_pem": "x"}}, 1)
    locks.look({"s3": {}}, 1)
    assert backend.held is None


def _gone(pid: int) -> None:
    """Until a process that is not our child has ended; where nobody reaps orphans it stays as a zombie."""
    try:
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=10)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return
