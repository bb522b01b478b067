"""The one place that starts programs, with tiny programs: what reaches them, what is shown, how they end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from blackstart.errors import CommandFailed, Interrupted, MissingTool
from blackstart.tools.process import Command, hide, run

# Says on Ctrl-C that it ends in order, as terraform does.
PATIENT = """
import signal, sys, time
from pathlib import Path
def end(*_): Path(sys.argv[1]).write_text("state written"); sys.exit(0)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
while True: signal.pause()
"""


def test_a_ctrl_c_is_passed_on_once_and_waited_for(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def when_ready(line: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="interrupted while python"):
        run(Command([sys.executable, "-c", PATIENT, str(told)]), on_line=when_ready)
    assert told.read_text() == "state written"


def test_a_ctrl_c_while_a_program_is_being_started_does_not_leave_it_behind() -> None:
    pids: list[int] = []

    def at_once(pid: int) -> None:
        pids.append(pid)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        run(Command(["sleep", "300"]), on_start=at_once)
    assert not psutil.pid_exists(pids[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! > child; wait"
    with pytest.raises(CommandFailed) as failed:
        run(Command(["sh", "-c", script], cwd=tmp_path, timeout=1))
    assert "124" in str(failed.value.code)
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_traps_of_the_shell_do_not_reach_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBE_HOST", "HELM_NAMESPACE", "TF_LOG", "TF_CLI_ARGS", "TF_VAR_age_key"):
        monkeypatch.setenv(name, "trap")
    monkeypatch.setenv("TF_TOKEN_app_terraform_io", "token")
    seen = run(Command(["env"], env={"TF_VAR_x": "ours"})).stdout.splitlines()
    assert not [line for line in seen if line.endswith("=trap")]
    assert {"TF_TOKEN_app_terraform_io=token", "TF_VAR_x=ours"} <= set(seen)


def test_a_failure_shows_the_command_and_its_last_words_without_secrets(tmp_path: Path) -> None:
    hide("hunter22")
    log = tmp_path / "log"
    with pytest.raises(CommandFailed) as failed:
        run(Command(["sh", "-c", "echo password hunter22 >&2; exit 3"], log=log))
    assert (failed.value.code, failed.value.tail) == (3, "password ***")
    assert "hunter22" not in log.read_text()


def test_a_program_that_is_not_there_is_a_missing_tool() -> None:
    with pytest.raises(MissingTool, match="cannot run no-such-program") as missing:
        run(Command(["no-such-program"]))
    assert missing.value.exit_code == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_file_is_the_input(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\x00\xffbinary\n")
    count = "import sys; print(len(sys.stdin.buffer.read()))"
    done = run(Command([sys.executable, "-c", count], source=tmp_path / "in"))
    assert done.stdout == "9\n"
