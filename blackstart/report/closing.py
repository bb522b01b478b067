"""The last lines of a run: how it ended, what was verified, what to do next (screens.md)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from blackstart.report.record import Report, timeline
from blackstart.report.timeline import duration


def closing(report: Report, *, stacks: int = 3) -> str:
    """What stays on the screen after a run that got where it was meant to go."""
    counted = counts(report)
    if report.outcome == "unchanged":
        checked = ", ".join([_count(stacks, "stack"), *counted[:1], *counted[2:]])
        return f"Ready, nothing to change (checked {checked} in {duration(report.seconds)})."
    decrypted = [f"{text} decrypted" if "secret" in text else text for text in counted]
    told = " · ".join([*decrypted, f"report {shown(report.path)}"])
    return f"Ready in {duration(report.seconds)} · {told}\n{next_lines(report.cluster)}"


def next_lines(cluster: str) -> str:
    """The commands that an operator wants after `up`."""
    option = "" if cluster == "local" else f" --cluster {cluster}"
    kubectl = f" kubectl:  export KUBECONFIG=$(blackstart{option} kubeconfig --path)"
    return f"{kubectl}\n again:    blackstart{option} status      break it on purpose:  blackstart drill"


def counts(report: Report) -> Sequence[str]:
    """`3 layers`, `5 releases`, `7 secrets`: what was verified."""
    releases = timeline(report.folder).releases()
    layers, secrets = report.verified.get("layers", 0), report.verified.get("secrets", 0)
    return [_count(layers, "layer"), _count(releases, "release"), _count(secrets, "secret")]


def shown(path: os.PathLike[str]) -> str:
    """A path as short as it can be pasted: relative when it is below the current folder."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith("..") else relative


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
