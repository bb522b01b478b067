"""A Ctrl-C while a fleet is worked through, with real processes in the place of `blackstart`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from blackstart.fleet import Fleet, Outcome, Rollout, worst

CHILD = """
import sys, time
try:
    print('{"event": "begin"}', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


class Heard:
    """An audience that notices the first line of a cluster."""

    def __init__(self) -> None:
        self.first = threading.Event()

    def begun(self, cluster: str) -> None: ...

    def told(self, cluster: str, event: dict[str, object]) -> None:
        self.first.set()

    def ended(self, outcome: Outcome) -> None: ...


def test_none_is_begun_any_more_and_all_that_run_hear_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process begins in a group of its own, so that a Ctrl-C of the terminal does not reach it by itself."""
    monkeypatch.setattr(Fleet, "_argv", lambda self, cluster: [sys.executable, "-c", CHILD])
    heard = Heard()

    def press() -> None:
        if heard.first.wait(30):
            os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    outcomes = Fleet(tmp_path, ["up"], Rollout(max_parallel=1), heard).work(["a", "b"])
    presser.join()
    assert [one.code for one in outcomes] == [130, -1] and worst(outcomes) == 130
    assert outcomes[1].message == "not begun: interrupted"
