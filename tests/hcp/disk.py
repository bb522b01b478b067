"""The peer's disk: one folder that holds all of it after each change, and from which another peer goes on.

Values of sensitive variables lie apart, in `sensitive/`: on HCP they are encrypted, and never given back.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.hcp.store import Run, Store, Workspace

Json = dict[str, Any]
PARTS = {"plan", "decided", "over", "logs", "states"}


def save(store: Store, folder: Path) -> None:
    """Write everything down."""
    with store.lock:
        _write(folder / "organization.json", {"projects": store.projects, "pools": store.pools})
        for workspace in list(store.workspaces.values()):
            _save_workspace(folder, workspace)
        for name, version in list(store.versions.items()):
            _write(folder / "versions" / f"{name}.json", {**version, "content": None})
            _keep(folder / "versions" / f"{name}.tar.gz", version["content"])
        for run in list(store.runs.values()):
            _write(folder / "runs" / f"{run.id}.json", {**_plain(run), "plan": run.plan})
            for phase, log in run.logs.items():
                _keep(folder / "runs" / f"{run.id}.{phase}.log", log)


def load(store: Store, folder: Path) -> None:
    """Take back what another peer has saved; a run that was under way stays as it was."""
    if not (folder / "organization.json").is_file():
        return
    organization = json.loads((folder / "organization.json").read_text())
    store.projects, store.pools = organization["projects"], organization["pools"]
    for path in (folder / "workspaces").glob("*.json"):
        made = _load_workspace(folder, json.loads(path.read_text()))
        store.workspaces[made.id] = made
    for path in (folder / "versions").glob("*.json"):
        content = path.with_suffix(".tar.gz")
        store.versions[path.stem] = {**json.loads(path.read_text()), "content": content.read_bytes()}
    for path in (folder / "runs").glob("*.json"):
        logs = {phase: path.with_suffix(f".{phase}.log").read_bytes() for phase in ("plan", "apply")}
        store.runs[path.stem] = Run(**json.loads(path.read_text()), logs=logs)
    taken = [*store.workspaces, *store.versions, *store.runs, *organization["projects"]]
    taken += [one["id"] for workspace in store.workspaces.values() for one in workspace.states]
    store.count_from(1 + max(int(one.rpartition("-")[2]) for one in taken))


def _save_workspace(folder: Path, workspace: Workspace) -> None:
    sensitive = {name: one["value"] for name, one in workspace.variables.items() if one["sensitive"]}
    variables = {
        name: {**one, "value": None} if name in sensitive else one for name, one in workspace.variables.items()
    }
    states = [{**one, "raw": None} for one in workspace.states]
    _write(folder / "sensitive" / f"{workspace.id}.json", sensitive)
    shown = {**_plain(workspace), "variables": variables, "states": states}
    _write(folder / "workspaces" / f"{workspace.id}.json", shown)
    for one in workspace.states:
        _keep(folder / "states" / f"{one['id']}.tfstate", one["raw"])


def _load_workspace(folder: Path, shown: Json) -> Workspace:
    sensitive = json.loads((folder / "sensitive" / f"{shown['id']}.json").read_text())
    for name, value in sensitive.items():
        shown["variables"][name]["value"] = value
    for one in shown["states"]:
        one["raw"] = (folder / "states" / f"{one['id']}.tfstate").read_bytes()
    return Workspace(**shown)


def _plain(one: Workspace | Run) -> Json:
    return {field.name: getattr(one, field.name) for field in fields(one) if field.name not in PARTS}


def _write(path: Path, shown: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(shown, indent=1))


def _keep(path: Path, content: bytes) -> None:
    """What does not change once it is there is written once; a log grows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.stat().st_size != len(content):
        path.write_bytes(content)
