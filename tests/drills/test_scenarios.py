"""Every disaster of `blackstart drill`, on one bed: broken, recovered, proven."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.cli import main
from blackstart.config import Workspace
from blackstart.drill.bed import Bed, lay
from blackstart.drill.carry_out import Drill
from blackstart.drill.scenario import Damage, Scenario, scenarios
from tests.desk import lay as lay_desk

BY_COMMAND = "wrong-key"
"""Played by the command itself, below."""
SEEDED = [
    (scenario, 1 + number)
    for scenario in scenarios().values()
    for number in range(scenario.seeds)
    if scenario.name != BY_COMMAND
]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A throwaway clone of the project as it is in the work tree, Ready."""
    desk = lay_desk(tmp_path_factory.mktemp("drill"))
    made = lay(desk.root, "local", "HEAD", tmp_path_factory.mktemp("log") / "drill.log")
    try:
        made.make_ready()
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize(("scenario", "seed"), SEEDED, ids=[f"{one.name}-{seed}" for one, seed in SEEDED])
def test_recovery(bed: Bed, scenario: Scenario, seed: int) -> None:
    result = Drill(bed, 1, lambda _: None, lambda _: None).one(scenario, seed)
    assert result.passed, f"{result.message}\n{bed.log.read_text()[-6000:]}"


class Guest(Bed):
    """A bed that is Ready already, and stays."""

    def make_ready(self) -> None:
        """It is."""

    def remove(self) -> None:
        """Whoever made it does."""


def unseen(bed: Bed, seed: int) -> Damage:
    """What recovery does not see, and a proof has to."""
    bed.api().delete("ConfigMap", "blackstart-drill-marker", "default")
    bed.api().patch("Secret", "grafana-admin", "monitoring", {"data": {"admin-password": "d3Jvbmc="}})
    bed.api().patch("Kustomization", "apps", "flux-system", {"spec": {"interval": "1h"}})
    return Damage()


@pytest.mark.parametrize(("name", "code"), [(BY_COMMAND, 0), ("unseen", 6)])
def test_the_command_tells_in_json_junit_and_a_report(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    """The command as it is, on the bed that is here; it fails when a drill fails."""
    shutil.copytree(bed.repository / "clusters", tmp_path / "clusters")
    monkeypatch.chdir(tmp_path)
    guest = Guest(bed.folder, bed.cluster, bed.commit, bed.port, bed.log, bed.extra, bed.pods)
    monkeypatch.setattr("blackstart.cli.drill.lay", lambda *_: guest)
    known = {**scenarios(), "unseen": Scenario("unseen", unseen)}
    monkeypatch.setattr("blackstart.drill.scenario.scenarios", lambda: known)
    done = CliRunner().invoke(main, ["-o", "json", "drill", "--scenario", name, "--junit", "out.xml"])
    assert done.exit_code == code, done.output

    (result,) = map(json.loads, done.stdout.splitlines())
    assert (result["scenario"], result["passed"]) == (name, code == 0)
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1" if code else "0")
    (report,) = Workspace(tmp_path, bed.cluster).runs.glob("*/report.json")
    assert json.loads(report.read_text())["outcome"] == ("failed" if code else "passed")
    assert json.loads((report.parent / "drill.json").read_text()) == [result]
    assert ("marker is gone" in result["message"]) == bool(code)
