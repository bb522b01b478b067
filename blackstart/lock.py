"""One run at a time over a cluster: a file lock that says who holds it (issue 4)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from blackstart.config import Workspace
from blackstart.config.workspace import write_private
from blackstart.errors import Locked


@contextmanager
def locked(ws: Workspace, command: str) -> Iterator[None]:
    """Hold the cluster's lock. Raises Locked with pid, host and since when."""
    ws.make()
    lock = FileLock(ws.lock, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Locked(
            f"another run works on {ws.cluster}: {_holder(ws.folder)}", hint="wait for it, or end it, then again"
        ) from None
    try:
        write_private(ws.folder / "lock.json", json.dumps(_me(command)))
        yield
    finally:
        (ws.folder / "lock.json").unlink(missing_ok=True)
        lock.release()


def _me(command: str) -> dict[str, str | int | float]:
    started = psutil.Process().create_time()
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started, "command": command}


def _holder(folder: Path) -> str:
    try:
        found = json.loads((folder / "lock.json").read_text())
        since = datetime.fromtimestamp(found["started"]).strftime("%H:%M:%S")
        return f"`blackstart {found['command']}`, pid {found['pid']} on {found['host']}, since {since}"
    except (OSError, ValueError, KeyError):
        return "it has just begun"
