"""Preflight: everything that would stop `up` or `recover`, found before anything changes (issue 5)."""

from __future__ import annotations

from blackstart.check.finding import Finding, exit_code, ready, require
from blackstart.check.gathering import Subject, gather
from blackstart.check.rules import judge
from blackstart.check.sealed import look_for_key
from blackstart.tools.age import FoundKey

__all__ = ["Finding", "Subject", "exit_code", "preflight", "ready", "require"]


def preflight(subject: Subject, key: FoundKey | None = None) -> list[Finding]:
    """All findings about a commit of a cluster, errors first; `key` is looked for when it is not given.

    Nothing is written, and what does not work becomes a finding.
    """
    return judge(gather(subject, look_for_key(subject.ws, key)))
