"""`blackstart down`: layers in reverse order, then the stacks; nothing is left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psutil

from tests.desk import Desk


def test_down_leaves_no_process_no_port_and_no_file(desk: Desk) -> None:
    desk.good("up")
    kept = Path(shutil.copytree(desk.ws.states, desk.root / ".blackstart" / "kept"))
    done = desk.good("down")
    order = [line.split()[1] for line in done.stderr.splitlines() if "pruned" in line]
    assert order == ["layers/apps", "layers/certs", "layers/controllers"]
    assert not desk.ws.embedded.exists() and not desk.ws.kubeconfig.exists()
    running = [p for p in psutil.process_iter(["cmdline"]) if str(desk.root) in " ".join(p.info["cmdline"] or [])]
    assert running == []
    assert desk.good("down").stderr.count("nothing there") == 3
    _a_cluster_that_is_gone_leaves_only_its_states_to_tidy(desk, kept)


def _a_cluster_that_is_gone_leaves_only_its_states_to_tidy(desk: Desk, kept: Path) -> None:
    for state in kept.glob("*.tfstate"):
        shutil.copy(state, desk.ws.states)
    told = desk.good("down").stderr
    assert "layers skipped the cluster is gone, nothing to drain: no record of it" in told
    assert told.count("the cluster is gone: its state is tidied") == 2
    states = [json.loads(path.read_text()) for path in desk.ws.states.glob("*.tfstate")]
    assert states and not [one for state in states for one in state["resources"] if one["mode"] == "managed"]
