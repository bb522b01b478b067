"""Flux controllers on the host: the flags of their Deployments, with addresses and folders of this machine.

`python -m blackstart.embedded.controllers --controller NAME` becomes that controller; the supervisor runs it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackstart import toolchain
from blackstart.config import Workspace
from blackstart.embedded.place import Place
from blackstart.embedded.ports import Ports
from blackstart.tools.process import allowed_environment, become

NAMESPACE = "flux-system"

NEEDS = {
    "source-controller": ("gitrepositories", "ocirepositories", "helmrepositories", "helmcharts", "buckets"),
    "kustomize-controller": ("gitrepositories", "kustomizations"),
    "helm-controller": ("helmcharts", "helmreleases"),
}
"""Without these kinds a controller exits again at once (`<kind>.<group>.toolkit.fluxcd.io`)."""

REPLACED = {
    *("events-addr", "storage-path", "storage-addr", "storage-adv-addr", "metrics-addr", "health-addr"),
    *("enable-leader-election", "leader-election-release-on-cancel", "leader-election-lease-duration"),
    *("leader-election-renew-deadline", "leader-election-retry-period"),
}
"""Flags that are not taken over: addresses and folders are this machine's; events go to the API alone, as no
notification-controller listens. Leader election: there is one process, and a killed leader's lease costs 35 s."""


def wanted(deployment: Mapping[str, Any]) -> bool:
    """Whether the Deployment asks for a running controller."""
    deleted = "deletionTimestamp" in deployment["metadata"]
    return not deleted and deployment["spec"].get("replicas", 1) > 0


def flags(deployment: Mapping[str, Any], ports: Ports, place: Place) -> list[str]:
    """The flags of the Deployment's first container, `$(VARIABLES)` expanded, and this machine's."""
    name = deployment["metadata"]["name"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    kept = [_expanded(flag, container) for flag in container.get("args") or [] if _flag(flag) not in REPLACED]
    own = [f"--{which}-addr=127.0.0.1:{ports[f'{name}/{which}']}" for which in ("metrics", "health")]
    if name == "source-controller":
        address = f"127.0.0.1:{ports['source-controller/storage']}"
        own += [f"--storage-path={place.storage}", f"--storage-addr={address}", f"--storage-adv-addr={address}"]
    return [*kept, *own]


def revision(deployment: Mapping[str, Any]) -> str:
    """Changes when a rollout would replace the pod: the pod template, in one spelling."""
    return json.dumps(deployment["spec"]["template"], sort_keys=True)


def _flag(argument: str) -> str:
    return argument.lstrip("-").partition("=")[0]


def _expanded(argument: str, container: Mapping[str, Any]) -> str:
    for variable in container.get("env") or []:
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        value = NAMESPACE if field == "metadata.namespace" else variable.get("value", "")
        argument = argument.replace(f"$({variable['name']})", value)
    return argument


def main() -> None:
    """Become the controller, as the keeper wrote down how."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--controller", required=True, choices=list(NEEDS))
    chosen = parser.parse_args()
    place = Place(Workspace(chosen.root, chosen.cluster))
    arguments = json.loads(place.controller(chosen.controller).read_text())["flags"]
    own = {"KUBECONFIG": str(place.kubeconfig), "RUNTIME_NAMESPACE": NAMESPACE, "TMPDIR": str(place.scratch)}
    become(
        [str(toolchain.path(chosen.controller)), *arguments],
        allowed_environment({**place.environment(), **own}),
    )


if __name__ == "__main__":
    main()
