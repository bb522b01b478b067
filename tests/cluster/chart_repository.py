"""A chart repository on loopback, filled by the real helm."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from blackstart import toolchain


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Not into the test's output."""


def helm(home: Path, *words: str) -> None:
    """Run helm with its own files in `home`."""
    env = {"PATH": os.environ["PATH"], **{f"HELM_{kind}_HOME": str(home) for kind in ("CACHE", "CONFIG", "DATA")}}
    subprocess.run([str(toolchain.path("helm")), *words], env=env, check=True, capture_output=True, timeout=60)


@contextmanager
def served(folder: Path, home: Path) -> Iterator[str]:
    """The URL of a repository of the packed charts in `folder`, which gets an index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    url = f"http://127.0.0.1:{server.server_port}"
    helm(home, "repo", "index", str(folder), "--url", url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
