"""What is proven after a drill: layers, secrets, the marker; nothing is taken on trust of an exit code."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from blackstart.config import load
from blackstart.drill.bed import Bed
from blackstart.gates import Outcome, Snapshot, all_of
from blackstart.gates.flux import layer, source
from blackstart.layers import Built, wiring
from blackstart.status import layers_in
from blackstart.steps.identity import Mark, recorded_mark
from blackstart.tools.age import FoundKey, find_key
from blackstart.tools.git import Git
from blackstart.tools.process import Command, run
from blackstart.tools.sops import SopsFile, secrets_at
from blackstart.tools.terraform import parse_state
from blackstart.waiting import Wait, Watched, wait_for

LOOKS = 3
SETTLE = 180.0
"""Seconds in which controllers that were restarted must have looked at everything again."""


def problems(bed: Bed, *, marker: bool | None) -> list[str]:
    """What is not as it should be after a recovery; empty when all is well. `marker`: kept, gone, or (None) either."""
    head = Git(bed.repository).head().sha
    found = _status(bed, head)
    wrong = [f"layer {one['name']}: {one['reason']}" for one in found.get("layers", []) if not one["ready"]]
    if not found.get("ready"):
        wrong.append(f"status says not ready: {found.get('error', '')}")
    if found.get("commit") != head:
        wrong.append(f"Flux is at {found.get('commit', '')[:7]}, the clone at {head[:7]}")
    wrong += [*different_secrets(bed), *_left(bed, gone=marker is False)]
    if marker is not None and bed.marked() != marker:
        wrong.append("the marker is gone" if marker else "the marker is still there")
    if marker and not bed.pods <= bed.workloads():
        wrong.append("pods that ran before are gone: workloads were restarted")
    return wrong


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before a recovery: Git's references and changes, which none may write; the states, which one
    that refuses may not write either."""

    git: str
    states: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, bed: Bed) -> Before:
        """As it is now."""
        words = (("for-each-ref",), ("status", "--porcelain"))
        git = "".join(run(Command(["git", *each], cwd=bed.repository)).stdout for each in words)
        return cls(git, {path.name: path.read_text() for path in bed.ws.states.glob("*.tfstate")})

    def changes(self, now: Before, *, refused: bool) -> list[str]:
        """What was written that should not have been."""
        wrong = ["recovery wrote to Git"] if now.git != self.git else []
        return [*wrong, "a state was changed"] if refused and now.states != self.states else wrong


def _left(bed: Bed, *, gone: bool) -> list[str]:
    """What is still there of a broken cluster that is `gone`; a record of another identity, whatever happened."""
    identity = bed.api().identity()
    live = (identity.uid, identity.ca_sha256)
    marks = {path.name: _recorded(path) for path in bed.ws.states.glob("*.tfstate")}
    wrong = [f"{name} records another cluster" for name, mark in marks.items() if mark not in (None, live)]
    return [*wrong, "pods of the lost cluster are there"] if gone and bed.pods & bed.workloads() else wrong


def _recorded(path: Path) -> Mark | None:
    try:
        state = parse_state(path.read_text())
    except ValueError:  # not whole: status says so
        return None
    return recorded_mark(state) if state else None


def _status(bed: Bed, head: str) -> dict[str, Any]:
    """What `status` says when it has settled; a controller that restarts just then gets another chance."""
    found: dict[str, Any] = {}
    for _ in range(LOOKS):
        _settle(bed, head)
        found = json.loads(bed.blackstart("-o", "json", "status").stdout or "{}")
        if found.get("ready"):
            break
    return found


def _settle(bed: Bed, commit: str) -> None:
    """Controllers that have just started look at everything once more: wait until all layers are Ready at one moment.

    Raises GateTimeout or GateBroken when that moment does not come.
    """
    kinds = (Watched("GitRepository"), Watched("Kustomization"), Watched("HelmRelease"))

    def all_ready(snapshot: Snapshot) -> Outcome:
        names = [thing["metadata"]["name"] for thing in layers_in(snapshot)]
        return all_of({"source": source(snapshot, commit), **{name: layer(snapshot, name, commit) for name in names}})

    wait_for(bed.api(), Wait("layers", kinds, SETTLE), all_ready)


def different_secrets(bed: Bed) -> list[str]:
    """Every SOPS Secret of the commit whose data in the cluster are not what the key decrypts from Git."""
    config = load(bed.repository, bed.cluster)
    key = find_key(bed.ws, config)
    export = Path(tempfile.mkdtemp(prefix="blackstart-proof-"))
    try:
        git = Git(bed.repository)
        git.export(git.head(), export)
        namespaces = _namespaces(wiring(export, config).built.values())
        clear = [one for file in secrets_at(export) for one in _clear(export, file, key)]
        return [wrong for one in clear if one.name in namespaces for wrong in _compare(bed, one, namespaces[one.name])]
    finally:
        shutil.rmtree(export, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Clear:
    """A Secret as Git and the key say it should be: data in base64."""

    name: str
    data: Mapping[str, str] = field(repr=False)


def _clear(export: Path, file: SopsFile, key: FoundKey) -> list[Clear]:
    documents = list(YAML(typ="safe").load_all((export / file.name).read_text()))
    found: dict[str, dict[str, str]] = {}
    for value in file.values(key):
        section, name = value.path[0], value.path[-1]
        encoded = value.clear.decode() if section == "data" else base64.b64encode(value.clear).decode()
        found.setdefault(documents[value.document]["metadata"]["name"], {})[name] = encoded
    return [Clear(name, data) for name, data in found.items()]


def _namespaces(built: Iterable[Built]) -> dict[str, str]:
    objects = [thing for one in built for thing in one.objects if thing["kind"] == "Secret"]
    return {thing["metadata"]["name"]: thing["metadata"].get("namespace", "default") for thing in objects}


def _compare(bed: Bed, one: Clear, namespace: str) -> list[str]:
    live = bed.api().get("Secret", one.name, namespace)
    if live is None:
        return [f"Secret {namespace}/{one.name} is not in the cluster"]
    data = live.get("data") or {}
    different = [name for name, value in one.data.items() if data.get(name) != value]
    return [f"Secret {namespace}/{one.name}: {name} is not what Git says" for name in different]
