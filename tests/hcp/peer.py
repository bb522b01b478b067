"""A server that speaks the API of HCP Terraform over TLS on loopback, keeps everything on disk, and really carries
out remote runs. What it does not have: users, teams, policies of its own, cost estimates, VCS."""

from __future__ import annotations

import io
import json
import re
import ssl
import tarfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.hcp import disk, routes
from tests.hcp.store import Refused, Run, Store
from tests.hcp.worker import Worker

TOKEN = "peer-token-of-a-test"
MEDIA = "application/vnd.api+json"
Json = dict[str, Any]
DROP = 0
"""In the place of a status: the connection ends without an answer."""


@dataclass(frozen=True)
class Fault:
    """An answer that is given once instead of the right one, to a request whose `METHOD /path` matches."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    at: str = ""


class Peer:
    """The running server. Everything by which it can be told to fail is an attribute.

    `script` are the states that each new run shows, one after the other, instead of being carried out. Without a
    `folder` nothing is kept. `limit`: requests a second above which it answers 429; `times`: when each came.
    """

    def __init__(self, ca: Path, server: Path, terraform: Path, folder: Path | None = None) -> None:
        self.ca = ca
        self.folder = folder
        self.store = Store()
        if folder:
            disk.load(self.store, folder)
            self.store.save = lambda: disk.save(self.store, folder)
        self.worker = Worker(self.store, terraform)
        self.store.started = self.worker.start
        self.faults: list[Fault] = []
        self.failed: list[str] = []
        self.limit = 0
        self.times: list[float] = []
        self.script: list[str] = []
        self.refuse_state_uploads = False
        self.requests: list[tuple[str, str, Any]] = []
        handler = type("Handler", (_Handler,), {"peer": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.hostname = f"localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base(self) -> str:
        return f"https://{self.hostname}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def commit(self, tree: Path, workspace: str, directory: str) -> Run:
        """What a push does to a workspace that is driven from Git: a run from its working directory in the tree."""
        found = self.store.named(workspace)
        found.attributes["working-directory"] = directory
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            tar.add(tree, ".")
        with self.store.lock:
            made = self.store.new("cv")
            self.store.versions[made] = {"status": "uploaded", "content": packed.getvalue()}
            return self.store.make_run(found, made, {"auto-apply": True, "message": "a commit"}, [])

    def asked(self, method: str, pattern: str) -> list[Any]:
        """The bodies of the requests that match."""
        return [body for how, path, body in self.requests if how == method and re.search(pattern, path)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 1 << 16  # headers and body in one packet
    disable_nagle_algorithm = True
    peer: Peer

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        try:
            self._answer(*self._dispatch(split.path, query, raw))
        except Refused as error:
            body = {"errors": [{"status": str(error.status), "detail": error.detail}]}
            self._answer(error.status, body, error.headers)
        except ConnectionAbortedError:
            self.close_connection = True
        except Exception:  # a defect of the peer, which terraform would ask again and again about
            self._answer(400, {"errors": [{"status": "400", "detail": traceback.format_exc()}]})

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815

    def _dispatch(self, path: str, query: dict[str, str], raw: bytes) -> tuple[int, Any]:
        if path == "/.well-known/terraform.json":
            return 200, {"tfe.v2": "/api/v2/", "state.v2": "/api/v2/"}
        signed = path.startswith("/_")
        body = raw if signed else json.loads(raw or b"null")
        self.peer.requests.append((self.command, path, body))
        self._refuse_too_many()
        self._fail(f"{self.command} {path}")
        if not signed:
            self._require_headers(path, raw)
        for method, pattern, route in routes.TABLE:
            match = pattern.fullmatch(path)
            if match and method == self.command:
                with self.peer.store.lock:
                    answer = self._routed(route, match.groups(), query, body)
                    if method != "GET":
                        self.peer.store.save()
                    return answer
        raise Refused(404, f"not found: {self.command} {path}")

    def _routed(self, route: Callable[..., Any], names: tuple[str, ...], query: Json, body: Any) -> tuple[int, Any]:
        found = route(self.peer, routes.Call(names, query, body))
        return found if isinstance(found, tuple) else (200, found)

    def _refuse_too_many(self) -> None:
        peer, now = self.peer, time.monotonic()
        with peer.store.lock:
            peer.times.append(now)
            if peer.limit and len(peer.times) > peer.limit and now - peer.times[-1 - peer.limit] < 1:
                peer.failed.append(self.path)
                wait = 1 - (now - peer.times[-peer.limit])
                raise Refused(
                    429, "too many requests", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{wait:.3f}"}
                )

    def _fail(self, request: str) -> None:
        """As told to, before anything is done."""
        fault = next((one for one in self.peer.faults if re.search(one.at, request)), None)
        if fault is None:
            return
        self.peer.faults.remove(fault)
        self.peer.failed.append(request)
        if fault.status == DROP:
            raise ConnectionAbortedError
        raise Refused(fault.status, "told to fail", fault.headers)

    def _require_headers(self, path: str, raw: bytes) -> None:
        if path.endswith("/ping"):
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "unauthorized")
        if raw and self.headers.get("Content-Type") != MEDIA:
            raise Refused(415, f"the body's media type must be {MEDIA}")

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        plain = {
            "Content-Type": "application/json" if self.path.startswith("/.well-known") else MEDIA,
            "TFP-API-Version": "2.6",
            "TFP-AppName": "HCP Terraform",
            "X-RateLimit-Limit": "30",
        }
        for name, value in {**plain, **(headers or {}), "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
