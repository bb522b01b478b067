"""Until an API answers and its nodes are Ready: what every provider's `wait` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from blackstart.errors import GateTimeout, ToolFailed
from blackstart.tools.kubernetes import ApiUnreachable, Cluster, Object

RETRY = 0.1
"""Seconds between two tries: a port on which nobody listens yet cannot be watched."""


def answers(kubeconfig: Path, seconds: float, *, hint: str) -> Cluster:
    """The API, as soon as it tells who it is: the guards of the stacks read that (facts: terraform.md, 5).

    Raises GateTimeout after `seconds`.
    """
    cluster = Cluster(kubeconfig)
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            cluster.identity()
            return cluster
        except (ApiUnreachable, ToolFailed):
            pause.wait(RETRY)
    raise GateTimeout(f"the API at {cluster.endpoint} does not answer after {seconds} s", hint=hint)


def healthy(cluster: Cluster, seconds: float, *, hint: str) -> None:
    """Until the API has come up whole: it answers before that. Raises GateTimeout after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            if cluster.healthy():
                return
        except ApiUnreachable:
            pass
        pause.wait(RETRY)
    raise GateTimeout(f"the API at {cluster.endpoint} is not healthy after {seconds} s", hint=hint)


def nodes_ready(cluster: Cluster, seconds: float, *, enough: Callable[[int, int], bool], hint: str) -> None:
    """Until `enough(ready, known)` of the nodes are Ready. Raises GateTimeout after `seconds`."""
    deadline = time.monotonic() + seconds
    known: dict[str, bool] = {}
    for node in _as_they_change(cluster, deadline):
        known[node["metadata"]["name"]] = _is_ready(node)
        if enough(sum(known.values()), len(known)):
            return
    raise GateTimeout(f"{sum(known.values())} of {len(known)} nodes are Ready after {seconds} s", hint=hint)


def _as_they_change(cluster: Cluster, deadline: float) -> Iterator[Object]:
    while (left := deadline - time.monotonic()) > 0:
        nodes, since = cluster.list_at("Node")
        yield from nodes
        for change in cluster.watch("Node", since=since, seconds=max(1, int(left))):
            yield change.object


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
