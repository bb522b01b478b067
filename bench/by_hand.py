"""The same cluster without blackstart's waiting: as fast as a hand can be (`limit`), and as Flux does it (`stock`)."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from blackstart import toolchain
from blackstart.config import load
from blackstart.drill.bed import Bed
from blackstart.gates import Ready
from blackstart.gates.flux import reconciled
from blackstart.synth import Stack, read
from blackstart.tools.age import find_key
from blackstart.tools.git import Git
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import Terraform
from blackstart.waiting import Watch, Watched

LAYERS = ("controllers", "certs", "apps")
LONGEST = 600.0
POLL = 1.0
"""Seconds between two looks of a shell loop around `kubectl wait`."""


def prepared(bed: Bed) -> list[Stack]:
    """What the measured time does not hold: the stacks synthesized, the commit published."""
    bed.good("synth")
    Git(bed.repository).publish(bed.commit, bed.ws.git, load(bed.repository, bed.cluster).git.branch)
    return list(read(bed.ws.out, bed.cluster).stacks)


def limit(bed: Bed) -> float:
    """Seconds of the control plane, a bare apply of the stacks, the layers with dependants released at once."""
    return _from_nothing(bed, released=True)


def stock(bed: Bed) -> float:
    """Seconds of the same stacks with Flux's own retries, looked at in a loop."""
    return _from_nothing(bed, released=False)


def plans(bed: Bed) -> float:
    """Seconds of `terraform plan` for the three stacks, one after the other."""
    stacks = list(read(bed.ws.out, bed.cluster).stacks)
    began = time.monotonic()
    for stack in stacks:
        _terraform(bed, stack).plan()
    return time.monotonic() - began


def _from_nothing(bed: Bed, *, released: bool) -> float:
    bed.empty()
    stacks = prepared(bed)
    began = time.monotonic()
    for stack in stacks:
        terraform = _terraform(bed, stack)
        terraform.init()
        terraform.apply()
    if released:
        _release(bed.api())
    else:
        _look_again_and_again(bed.api())
    return time.monotonic() - began


def _terraform(bed: Bed, stack: Stack) -> Terraform:
    config = load(bed.repository, bed.cluster)
    key = find_key(bed.ws, config).identities
    env = {**bed.environment(), "TF_CLI_CONFIG_FILE": str(toolchain.terraformrc(config.providers))}
    return Terraform(stack.folder, binary=toolchain.path("terraform"), env={**env, "TF_VAR_age_key": key})


def _release(api: Cluster) -> None:
    """Annotate a layer the moment those that it depends on are Ready, and nothing else."""
    watch = Watch(api, (Watched("Kustomization", "flux-system"),))
    told: set[str] = set()
    for snapshot in watch.snapshots(time.monotonic() + LONGEST):
        ready = {key[2] for key, thing in snapshot.items() if isinstance(reconciled(thing), Ready)}
        if set(LAYERS) <= ready:
            break
        for key, thing in snapshot.items():
            needed = {one["name"] for one in thing["spec"].get("dependsOn", ())}
            if needed and needed <= ready and key[2] not in told:
                told.add(key[2])
                api.patch("Kustomization", key[2], key[1], _requested())
    watch.stop()


def _requested() -> dict[str, dict[str, dict[str, str]]]:
    return {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": datetime.now(UTC).isoformat()}}}


def _look_again_and_again(api: Cluster) -> None:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        found = {thing["metadata"]["name"]: thing for thing in api.list_all("Kustomization", "flux-system")}
        if all(name in found and isinstance(reconciled(found[name]), Ready) for name in LAYERS):
            return
        time.sleep(POLL)
