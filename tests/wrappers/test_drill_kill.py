"""What the drill run-killed kills: a program and all below it, in whatever session."""

from __future__ import annotations

import subprocess
import sys

import psutil

from blackstart.drill.scenarios.run_killed import kill_family

PARENT = """
import subprocess, sys
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def test_a_child_in_a_session_of_its_own_is_killed_too() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    kill_family(parent.pid)
    assert parent.wait(10) == -9
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE  # where nobody reaps orphans
    kill_family(parent.pid)  # it is gone: nothing happens
