"""A fleet on HCP Terraform: 201 workspaces set up, their runs watched, against the tests' peer, which only answers."""

from __future__ import annotations

import json
import sys

from bench.lab import Found, Lab
from blackstart.tools.process import Command, run

CLUSTERS = 67
"""Of three workspaces each."""


def measured(lab: Lab) -> Found:
    """Memory, CPU time and requests of `cloud setup --all` and `cloud runs --wait`, each in a process of its own."""
    command = Command([sys.executable, "-m", "tests.hcp.simulated", str(CLUSTERS)], cwd=lab.root, timeout=900)
    found: Found = json.loads(run(command).stdout.splitlines()[-1])
    return {f"hcp_{name}": value for name, value in found.items()}
