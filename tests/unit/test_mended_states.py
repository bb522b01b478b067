"""A state that was cut off is mended from a backup: whole at every moment, and private."""

from __future__ import annotations

import json
from pathlib import Path

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.workspace import write_private
from blackstart.progress import Progress
from blackstart.steps.rescue import RestoreStates
from blackstart.steps.run import Run
from blackstart.tools.age import THROWAWAY

SHAPE = {"cluster": {"provider": "embedded"}, "git": {"path": "x"}, "sops": {"recipients": [THROWAWAY]}}


def test_a_backup_takes_its_place_with_the_mode_of_a_state(tmp_path: Path) -> None:
    ws = Workspace(tmp_path, "mine")
    whole = json.dumps(
        {"version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "outputs": {}, "resources": []}
    )
    write_private(ws.backups / "mine-flux.3.l.tfstate", whole)
    broken = ws.state("mine-flux")
    broken.parent.mkdir(parents=True)
    broken.write_text(whole[:-20])
    broken.chmod(0o644)  # somebody's plain terraform wrote it
    run = Run(ws, ClusterConfig.model_validate(SHAPE), Progress(), tmp_path)
    with run.progress.step("states") as note:
        RestoreStates(("mine-flux",)).run(run, note)
    assert broken.read_text() == whole
    assert broken.stat().st_mode & 0o777 == 0o600
