"""The Git server of one cluster: `git http-backend` behind a small HTTP server on 127.0.0.1, read-only.

It serves `.blackstart/<cluster>/git.git` as `/git.git` over Git's smart HTTP protocol (gitprotocol-http(5)), fetching
only, without authentication: whoever may open a loopback port of this machine may read the deployed commit.
"""

from __future__ import annotations

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from blackstart.config import Workspace
from blackstart.config.ports import git_port
from blackstart.errors import BlackstartError, ConfigError
from blackstart.tools.process import exchange

DOORS = {("GET", "/git.git/info/refs"), ("POST", "/git.git/git-upload-pack")}
LARGEST = 16 * 1024 * 1024
"""Bytes of a request: a fetch names commits, it carries none."""


class Headers(Protocol):
    """Header fields by name, whatever their case."""

    def get(self, name: str, default: str, /) -> str:
        """The field's value."""
        ...


class Readable(Protocol):
    """Bytes that come in."""

    def read(self, size: int, /) -> bytes:
        """So many of them."""
        ...

    def readline(self) -> bytes:
        """Up to the end of a line."""
        ...


class TooLarge(Exception):
    """The request has more than LARGEST bytes."""


def environment(project_root: Path, method: str, target: str, headers: Headers) -> dict[str, str]:
    """The CGI variables (RFC 3875) that `git http-backend` reads."""
    parts = urlsplit(target)
    protocol = headers.get("Git-Protocol", "")
    return {
        "GIT_PROJECT_ROOT": str(project_root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": protocol,
        "HTTP_GIT_PROTOCOL": protocol,
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "REMOTE_ADDR": "127.0.0.1",
    }


def is_allowed(method: str, target: str) -> bool:
    """Whether a request only reads."""
    parts = urlsplit(target)
    reads = method == "POST" or parts.query == "service=git-upload-pack"
    return (method, parts.path) in DOORS and reads


def body(stream: Readable, headers: Headers) -> bytes:
    """The request's body, chunked or of a known length. Raises TooLarge, or ValueError when it is malformed."""
    if "chunked" not in headers.get("Transfer-Encoding", "").lower():
        length = int(headers.get("Content-Length", "") or 0)
        if length > LARGEST:
            raise TooLarge
        return stream.read(length)
    whole = b""
    while size := int(stream.readline().split(b";")[0], 16):
        if len(whole) + size > LARGEST:
            raise TooLarge
        whole += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        continue
    return whole


def parsed(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and content of a CGI answer."""
    head, _, content = answer.partition(b"\r\n\r\n")
    pairs = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n") if ": " in line]
    headers = [(name, value) for name, value in pairs if name.lower() != "status"]
    status = next((value for name, value in pairs if name.lower() == "status"), "200")
    return int(status.split()[0]), headers, content


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    project_root: Path

    def do_GET(self) -> None:
        """The refs."""
        self._answer()

    def do_POST(self) -> None:
        """A fetch."""
        self._answer()

    def _answer(self) -> None:
        try:
            request = body(self.rfile, self.headers)
        except (TooLarge, ValueError):
            self.close_connection = True
            self._send(413, [], b"")
            return
        if not is_allowed(self.command, self.path):
            self._send(403, [("Content-Type", "text/plain")], b"read-only: this server is for git fetch\n")
            return
        variables = environment(self.project_root, self.command, self.path, self.headers)
        variables["CONTENT_LENGTH"] = str(len(request))
        self._send(*parsed(exchange(["git", "http-backend"], variables, request)))

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def server(ws: Workspace) -> ThreadingHTTPServer:
    """A server that listens on the cluster's port. Raises ConfigError when the port is taken."""
    handler = type("GitHandler", (Handler,), {"project_root": ws.folder})
    port = git_port(ws.cluster)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ConfigError(
            f"the Git server cannot listen on 127.0.0.1:{port}: {error.strerror}",
            hint="choose another port: BLACKSTART_GIT_PORT=PORT blackstart up",
        ) from None


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--cluster", required=True)
    chosen = parser.parse_args()
    try:
        server(Workspace(chosen.root, chosen.cluster)).serve_forever()
    except BlackstartError as error:
        print(f"{error.message}\nHint: {error.hint}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
