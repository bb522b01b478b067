"""The live view on a real (pseudo) terminal: Ctrl-C gives it back."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
PATIENCE = 20.0
PROGRAM = """
import signal
from blackstart.progress import Progress
from blackstart.report.live import LiveSink
progress = Progress(LiveSink())
progress.tell("begin", reason="up")
progress.waiting("layers/certs", "waiting for webhook")
signal.pause()
"""


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What the terminal shows until `wanted` appears or the program has gone."""
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        assert ready, seen
        try:
            chunk = os.read(terminal, 1 << 14)
        except OSError:
            break
        seen += chunk
    return seen


def test_ctrl_c_shows_the_cursor_again() -> None:
    terminal, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "TERM": "xterm-256color"}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs, env=environment, stdin=theirs)
    os.close(theirs)
    try:
        drawn = read_until(terminal, b"waiting for webhook")
        assert drawn.count(HIDE) == 1
        assert SHOW not in drawn
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, SHOW)
        assert SHOW in rest
        assert HIDE not in rest
        read_until(terminal, b"never shown")
        assert process.wait(PATIENCE) == -signal.SIGINT
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
