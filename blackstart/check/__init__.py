"""Preflight: everything that would stop `up` or `recover`, found before anything changes (issue 5)."""

from __future__ import annotations

from blackstart.check.finding import Finding, exit_code, ready, require
from blackstart.check.gathering import Subject, gather
from blackstart.check.rules import judge
from blackstart.check.sealed import look_for_key
from blackstart.config import ClusterConfig, Workspace
from blackstart.tools.age import FoundKey
from blackstart.tools.git import Commit

__all__ = ["Finding", "exit_code", "preflight", "ready", "require"]


def preflight(
    ws: Workspace, config: ClusterConfig, commit: Commit, key: FoundKey | None = None, *, fast: bool = False
) -> list[Finding]:
    """All findings about a commit of a cluster, errors first; `key` is looked for when it is not given.

    `fast`, as `up` and `recover` run it, leaves out chart repositories, the provider and the running cluster.
    Nothing is written, and what does not work becomes a finding.
    """
    return judge(gather(Subject(ws, config, commit, fast), look_for_key(ws, key)))
