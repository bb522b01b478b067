"""Keeps each Flux controller running exactly while its Deployment exists with replicas > 0 and its kinds are known.

The Deployments are simulated like every pod of the embedded cluster; this ties the processes that do the work to
them, so that deleting, scaling or misconfiguring Flux in the cluster has its real effect. The same process does what
other programs would if pods were real (`realism.py`, `operators.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from blackstart.config import Workspace
from blackstart.config.workspace import write_private
from blackstart.embedded import controllers, operators, realism
from blackstart.embedded.place import Place
from blackstart.embedded.simulated import Simulated
from blackstart.embedded.supervision import CONTROLLERS, Supervisor
from blackstart.errors import BlackstartError
from blackstart.tools.kubernetes import Cluster

Objects = dict[str, dict[str, Any]]
RETRY = 1.0
"""Seconds between two tries to reach an API that does not answer."""


def follow(cluster: Cluster, kind: str, namespace: str, tell: Callable[[Objects], None]) -> None:
    """Tell all objects of a kind, by namespace and name, now and after every change; never returns.

    While the API does not answer nothing is told: an unreachable API says nothing about Deployments.
    """
    pause = threading.Event()
    while True:
        try:
            cluster.learn(kind)
            items, since = cluster.list_at(kind, namespace)
            known = {_key(item): item for item in items}
            tell(dict(known))
            for change in cluster.watch(kind, namespace, since=since):
                known[_key(change.object)] = change.object
                if change.type == "DELETED":
                    del known[_key(change.object)]
                tell(dict(known))
        except BlackstartError as error:
            print(f"{kind}: {error.message}", flush=True)  # noqa: T201
            pause.wait(RETRY)


class Keeper:
    """Brings the host's controllers to what the cluster's Deployments say."""

    def __init__(self, place: Place, supervisor: Supervisor) -> None:
        self._place = place
        self._supervisor = supervisor
        self._deployments: Objects | None = None
        self._definitions: Objects | None = None

    def see(self, kind: str, objects: Objects) -> None:
        """Take in what the cluster holds now; acts once both kinds have been seen."""
        if kind == "Deployment":
            self._deployments = objects
        else:
            self._definitions = objects
        if self._deployments is not None and self._definitions is not None:
            for name in CONTROLLERS:
                self._settle(name, self._deployments.get(f"{controllers.NAMESPACE}/{name}"))

    def _settle(self, name: str, deployment: Mapping[str, Any] | None) -> None:
        path = self._place.controller(name)
        if deployment is None or not controllers.wanted(deployment):
            self._supervisor.stop(name)
            path.unlink(missing_ok=True)
            return
        arguments = controllers.flags(deployment, self._place.ports(), self._place)
        text = json.dumps({"flags": arguments, "revision": controllers.revision(deployment)})
        if path.is_file() and path.read_text() != text:
            self._supervisor.stop(name)
        if self._knows_kinds(name):
            write_private(path, text)
            self._supervisor.start(name)

    def _knows_kinds(self, name: str) -> bool:
        established = {
            key.partition(".")[0]
            for key, definition in (self._definitions or {}).items()
            if key.endswith(".toolkit.fluxcd.io") and _is_established(definition)
        }
        return established.issuperset(controllers.NEEDS[name])


def _key(item: Mapping[str, Any]) -> str:
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else str(meta["name"])


def _is_established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def main() -> None:
    """Follow every kind in its thread, settle in this one; ends by a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--cluster", required=True)
    chosen = parser.parse_args()
    place = Place(Workspace(chosen.root, chosen.cluster))
    seen: queue.Queue[tuple[str, Objects]] = queue.Queue()
    cluster, simulated = Cluster(place.kubeconfig), Simulated(place.simulated)
    registered = operators.Operators(cluster, simulated)
    _in_thread(registered.serve)
    _in_thread(follow, cluster, operators.RELEASE, "", registered.see)
    for kind in ("Deployment", "CustomResourceDefinition", *realism.KINDS):
        namespace = controllers.NAMESPACE if kind == "Deployment" else ""
        _in_thread(follow, cluster, kind, namespace, lambda objects, kind=kind: seen.put((kind, objects)))
    keeper, pretender = Keeper(place, Supervisor()), realism.Realism(cluster, simulated)
    while True:
        kind, objects = seen.get()
        (pretender if kind in realism.KINDS else keeper).see(kind, objects)


def _in_thread(work: Callable[..., None], *arguments: object) -> None:
    """A thread that dies alone would leave a keeper that sees nothing; the supervisor starts a new one."""

    def whole() -> None:
        try:
            work(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    threading.Thread(target=whole, daemon=True).start()


if __name__ == "__main__":
    main()
