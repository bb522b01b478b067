"""The part of `up` that makes the cluster: `python -m tests.k3s.up ROOT` in a process of its own, to be killed.

The rest needs a remote and the registry's providers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from blackstart.config import Workspace, load
from blackstart.progress import Progress, Recorder
from blackstart.steps import Step, execute
from blackstart.steps.apply import ApplyCluster
from blackstart.steps.k3s_token import KeepToken
from blackstart.steps.prepare import FindKey, PinCommit, Synthesize
from blackstart.steps.run import Run

STEPS = (FindKey(), PinCommit(), Synthesize(), KeepToken(), ApplyCluster())


def take(ws: Workspace, *steps: Step) -> Run:
    """Steps of a recipe, with the environment that the command line would have."""
    run = Run(ws, load(ws.root, ws.cluster), Progress(Recorder()), ws.runs / "test", ref="main")
    execute(steps, run)
    return run


if __name__ == "__main__":
    take(Workspace(Path(sys.argv[1]), "bed"), *STEPS)
