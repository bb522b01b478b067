"""A server for Terraform's HTTP backend, with locks and passwords: what a Git forge offers for states."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER = "operator"


@dataclass
class Shelf:
    """States and locks by path; `touched` counts the locks that were taken."""

    port: int
    states: dict[str, bytes] = field(default_factory=dict)
    locks: dict[str, dict[str, Any]] = field(default_factory=dict)
    touched: int = 0
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def section(self) -> str:
        """The part of a cluster file that keeps the states here."""
        address = f"http://127.0.0.1:{self.port}/{{stack}}"
        return (
            "state:\n  backend: http\n"
            f"  http: {{address: '{address}', lock_address: '{address}', unlock_address: '{address}', retry_max: 0}}\n"
        )

    @property
    def variables(self) -> dict[str, str]:
        """The credentials, as terraform reads them."""
        return {"TF_HTTP_USERNAME": USER, "TF_HTTP_PASSWORD": self.password}

    def serial(self, stack: str) -> tuple[str, int]:
        """Lineage and serial of a state."""
        state = json.loads(self.states[f"/{stack}"])
        return state["lineage"], state["serial"]


class Handler(BaseHTTPRequestHandler):
    """GET, POST, DELETE a state; LOCK and UNLOCK it, with the status codes that terraform knows."""

    shelf: Shelf

    def do_GET(self) -> None:
        state = self.shelf.states.get(self._path)
        self._answer(200 if state else 404, state or b"")

    def do_POST(self) -> None:
        holder = self.shelf.locks.get(self._path, {}).get("ID", "")
        if holder != parse_qs(urlsplit(self.path).query).get("ID", [""])[0]:
            return self._answer(409, json.dumps(self.shelf.locks.get(self._path, {})).encode())
        self.shelf.states[self._path] = self._body()
        return self._answer(200)

    def do_DELETE(self) -> None:
        self.shelf.states.pop(self._path, None)
        self._answer(200)

    def do_LOCK(self) -> None:
        wanted = json.loads(self._body())
        with self.shelf.guard:
            held = self.shelf.locks.setdefault(self._path, wanted)
            self.shelf.touched += held is wanted
        self._answer(200 if held is wanted else 423, json.dumps(held).encode())

    def do_UNLOCK(self) -> None:
        wanted = json.loads(self._body() or b"{}") or {}
        held = self.shelf.locks.get(self._path)
        if held and wanted.get("ID") not in (held["ID"], None):
            return self._answer(409, json.dumps(held).encode())
        self.shelf.locks.pop(self._path, None)
        return self._answer(200)

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def parse_request(self) -> bool:
        """Nobody gets past this without the password."""
        if not super().parse_request():
            return False
        told = self.headers.get("Authorization", "")
        if told == "Basic " + base64.b64encode(f"{USER}:{self.shelf.password}".encode()).decode():
            return True
        self._answer(401)
        return False

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serve() -> Iterator[Shelf]:
    """The server, on a free port of loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.shelf = Shelf(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Handler.shelf
        finally:
            server.shutdown()
