"""`down` of a cluster that is no throwaway: its name has to be typed, on a real (pseudo) terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from blackstart.tools import age
from tests.desk import Desk
from tests.wrappers.test_live_terminal import PATIENCE, read_until

CLUSTER = """\
cluster: {{provider: existing, kubeconfig: absent}}
git: {{url: "ssh://git@127.0.0.1:1/ops/fleet", path: wiring}}
sops: {{recipients: [{recipient}]}}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A repository with the cluster `prod`, whose key is not here."""
    recipient = age.generate().recipients[0]
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters" / "prod.yaml").write_text(CLUSTER.format(recipient=recipient))
    return Desk(tmp_path, 0, "prod", {"PYTHONPATH": str(Path(__file__).parents[2])})


def typed(desk: Desk, answer: bytes) -> tuple[int, bytes]:
    """The exit code of `down`, and what the terminal showed, when this is typed."""
    terminal, theirs = pty.openpty()
    argv = [sys.executable, "-m", "blackstart", "--cluster", "prod", "down"]
    end = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    program = subprocess.Popen(argv, cwd=desk.root, env=desk.environment(NO_COLOR="1"), **end)
    os.close(theirs)
    try:
        seen = read_until(terminal, b"Type its name to go on")
        os.write(terminal, answer + b"\n")
        seen += read_until(terminal, b"Hint:")
        return program.wait(PATIENCE), seen
    finally:
        program.kill()
        program.wait()
        os.close(terminal)


def test_another_name_changes_nothing(desk: Desk) -> None:
    code, seen = typed(desk, b"local")
    assert (code, b"not the cluster's name" in seen) == (8, True)
    assert not desk.ws.folder.exists()


def test_its_name_lets_it_go_on(desk: Desk) -> None:
    code, seen = typed(desk, b"prod")
    assert (code, b"out of prod" in seen) == (7, True)  # it looked for the key, which is the first step
    assert list(desk.ws.runs.iterdir())


def test_without_a_terminal_the_name_is_an_option(desk: Desk) -> None:
    done = desk.run("down")
    assert (done.code, "--confirm prod" in done.stderr) == (8, True)
    assert desk.run("down", "--confirm", "prod").code == 7
