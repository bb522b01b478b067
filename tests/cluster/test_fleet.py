"""A fleet of real clusters: two embedded ones with shared defaults, and a third whose file is wrong (issue 8)."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackstart.config.ports import git_port
from tests.desk import Desk, lay

MARK = secrets.token_hex(2)
EAST, WEST = GOOD = (f"east-{MARK}", f"west-{MARK}")
"""Ports follow from the names: two runs of this test on one machine must not meet."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Desk]:
    """A desk with three cluster files over one of defaults; all clusters are removed."""
    desk = lay(tmp_path)
    clusters = desk.root / "clusters"
    (clusters / "production.yaml").unlink()
    (clusters / "local.yaml").rename(clusters / "_defaults.yaml")
    for name in GOOD:
        (clusters / f"{name}.yaml").write_text(f"settings: {{domain: {name}.blackstart.test}}\n")
    (clusters / "south.yaml").write_text("git: {path: gitops/flux/clusters/south}\n")
    desk.commit("a fleet")
    made = replace(desk, extra={"SOPS_AGE_KEY_FILE": str(desk.root / "keys/local.agekey")})
    try:
        yield made
    finally:
        for name in GOOD:
            replace(made, cluster=name).remove_cluster()


def outcomes(desk: Desk, *command: str) -> tuple[int, dict[str, int], list[dict[str, Any]]]:
    """The exit code of a command over the fleet, that of each cluster, and all that was told."""
    argv = [sys.executable, "-m", "blackstart", "-o", "json", *command]
    done = subprocess.run(argv, cwd=desk.root, env=desk.environment(), capture_output=True, text=True, timeout=600)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    codes = {one["cluster"]: one["code"] for one in told if one.get("event") == "outcome"}
    assert codes, done.stderr
    return done.returncode, codes, told


def interrupted_once_both_work(desk: Desk) -> int:
    """Begin with both, press Ctrl-C when each has begun to make its cluster; the exit code."""
    argv = [sys.executable, "-m", "blackstart", "-o", "json", "up", "--cluster", EAST, "--cluster", WEST]
    with subprocess.Popen(argv, cwd=desk.root, env=desk.environment(), stdout=subprocess.PIPE, text=True) as process:
        begun: set[str] = set()
        for line in process.stdout or ():
            event = json.loads(line)
            if event.get("step") == "cluster" and event["cluster"] not in begun:
                begun.add(event["cluster"])
                if begun == set(GOOD):
                    process.send_signal(signal.SIGINT)
        return process.wait(timeout=120)


@pytest.mark.cluster
def test_from_a_failed_canary_to_all_gone(fleet: Desk) -> None:
    code, codes, _ = outcomes(fleet, "up", "--all", "--canary", "south")
    assert codes == {"south": 2, EAST: -1, WEST: -1} and code == 6
    assert not (fleet.root / f".blackstart/{EAST}/states").exists(), "nothing was begun after the canary"

    assert interrupted_once_both_work(fleet) == 130

    code, codes, told = outcomes(fleet, "up", "--all", "--max-failures", "0")
    assert codes == {EAST: 0, WEST: 0, "south": 2}, told[-20:]
    assert code == 2, "the worst of them"
    assert all("cluster" in event for event in told)
    folders = [fleet.root / ".blackstart" / name for name in GOOD]
    assert all((folder / "logs/up.log").is_file() for folder in folders)
    ports = [set(json.loads((folder / "embedded/ports.json").read_text()).values()) for folder in folders]
    assert not ports[0] & ports[1] and git_port(EAST) != git_port(WEST)
    domains = {name: fleet_settings(fleet, name)["domain"] for name in GOOD}
    assert domains == {name: f"{name}.blackstart.test" for name in GOOD}

    code, codes, told = outcomes(fleet, "status", "--all")
    ready = {one["cluster"]: one["ready"] for one in told if "ready" in one}
    assert ready == {EAST: True, WEST: True, "south": False} and code == 6, told

    (fleet.root / "clusters/south.yaml").unlink()
    code, codes, _ = outcomes(fleet, "down", "--all")
    assert codes == {EAST: 0, WEST: 0} and code == 0
    assert not any((folder / "embedded").exists() for folder in folders)


def fleet_settings(fleet: Desk, name: str) -> dict[str, str]:
    """What ConfigMap cluster-settings holds in a cluster."""
    found = replace(fleet, cluster=name).api().get("ConfigMap", "cluster-settings", "flux-system")
    assert found is not None
    data: dict[str, str] = found["data"]
    return data
