"""A state that somebody else holds: exit 9 with the owner, by the real terraform and a real HTTP backend's protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.errors import Locked
from blackstart.tools.terraform import Terraform

HOLDER = {"ID": "d7e4ab3c-0000-4000-8000-000000000000", "Who": "someone@host", "Created": "2026-01-01T00:00:00Z"}
STATE = {"version": 4, "serial": 1, "lineage": "l", "resources": []}


class Backend(BaseHTTPRequestHandler):
    """Terraform's HTTP backend: the state is there, its lock is taken (423, with the holder's lock info)."""

    def do_GET(self) -> None:
        self._answer(200, STATE)

    def do_LOCK(self) -> None:
        self._answer(423, HOLDER)

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_owner_of_a_remote_lock_is_named(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackstart.tools.terraform.LOCK_TIMEOUT", "0s")
    backend = {"address": address, "lock_address": address, "unlock_address": address, "retry_max": 0}
    configuration = {"terraform": {"backend": {"http": backend}}, "resource": {"terraform_data": {"x": {}}}}
    (tmp_path / "main.tf.json").write_text(json.dumps(configuration))
    (tmp_path / "rc").write_text("")
    env = {"TF_CLI_CONFIG_FILE": str(tmp_path / "rc")}
    terraform = Terraform(tmp_path, binary=toolchain.path("terraform"), env=env)
    terraform.init()
    for act in (terraform.apply, lambda: terraform.forget(["terraform_data.x"])):
        with pytest.raises(Locked, match=HOLDER["ID"]) as refused:
            act()
        assert refused.value.exit_code == 9
        assert f"force-unlock {HOLDER['ID']}" in refused.value.hint
