"""What the peer keeps, and the rules by which it refuses."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
NAME = re.compile(r"[A-Za-z0-9_-]{1,90}")
VERSION = re.compile(r"\d+\.\d+\.\d+")


class Refused(Exception):
    """An answer that is an error: a status and HCP's words for it."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


@dataclass
class Workspace:
    """One workspace: attributes as the API shows them, and what hangs on it."""

    id: str
    attributes: Json
    project: str
    pool: str = ""
    locked_by: str = ""
    variables: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)  # id: source workspace
    states: list[Json] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


@dataclass
class Run:
    """One run; `options` are the attributes that it was created with."""

    id: str
    workspace: str
    version: str
    options: Json
    status: str = "pending"
    script: list[str] = field(default_factory=list)
    logs: dict[str, bytes] = field(default_factory=lambda: {"plan": b"", "apply": b""})
    counts: dict[str, int] = field(default_factory=dict)
    plan: Json = field(default_factory=dict)
    decided: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    canceled: bool = False

    @property
    def confirmable(self) -> bool:
        return self.status in ("planned", "policy_checked", "cost_estimated") and not self.options.get("auto-apply")

    @property
    def ended(self) -> bool:
        return self.status in ("applied", "planned_and_finished", "errored", "canceled", "discarded")


class Store:
    """Everything of one organization; `agents` are the pools in which an agent works, `save` writes it all down."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.workspaces: dict[str, Workspace] = {}
        self.projects: dict[str, str] = {"prj-1": "Default Project"}
        self.pools: dict[str, str] = {"apool-1": "basement"}
        self.agents: set[str] = {"apool-1"}
        self.runs: dict[str, Run] = {}
        self.versions: dict[str, Json] = {}
        self.pending_states: dict[str, tuple[str, Json]] = {}
        self._numbers = itertools.count(100)
        self.started: Callable[[Run], None] = lambda run: None
        self.save: Callable[[], None] = lambda: None

    def count_from(self, number: int) -> None:
        """New identifiers begin with this number."""
        self._numbers = itertools.count(number)

    def new(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def named(self, name: str) -> Workspace:
        for one in self.workspaces.values():
            if one.attributes["name"] == name:
                return one
        raise Refused(404, "not found")

    def workspace(self, identifier: str) -> Workspace:
        if identifier not in self.workspaces:
            raise Refused(404, "not found")
        return self.workspaces[identifier]

    def make_workspace(self, given: Json, project: str, pool: str) -> Workspace:
        name = given.get("name", "")
        if not NAME.fullmatch(name):
            raise Refused(422, "Name can only include letters, numbers, -, and _")
        if any(one.attributes["name"] == name for one in self.workspaces.values()):
            raise Refused(422, "Name has already been taken")
        plain = {"execution-mode": "remote", "auto-apply": False, "global-remote-state": True, "tag-names": []}
        made = Workspace(self.new("ws"), {**plain, "terraform-version": "1.11.4", "name": name}, project or "prj-1")
        self.change_workspace(made, given, project, pool)
        self.workspaces[made.id] = made
        return made

    def change_workspace(self, workspace: Workspace, given: Json, project: str, pool: str) -> None:
        if project and project not in self.projects:
            raise Refused(404, "project not found")
        if given.get("execution-mode") == "agent" and not (given.get("agent-pool-id") or pool):
            raise Refused(422, "Agent pool must be specified when execution mode is agent")
        if not VERSION.fullmatch(given.get("terraform-version", "1.0.0")):
            raise Refused(422, "Terraform version is invalid")
        workspace.attributes.update({key: value for key, value in given.items() if key != "agent-pool-id"})
        workspace.pool = given.get("agent-pool-id") or workspace.pool
        workspace.project = project or workspace.project

    def take_lock(self, workspace: Workspace, who: str) -> None:
        busy = next((one for one in workspace.runs if not self.runs[one].ended), "")
        if workspace.locked_by or busy:
            raise Refused(409, f"already locked by {workspace.locked_by or busy}")
        workspace.locked_by = who

    def release(self, workspace: Workspace) -> None:
        if not workspace.locked_by:
            raise Refused(409, "already unlocked")
        workspace.locked_by = ""
        with self.changed:
            self.changed.notify_all()

    def make_state(self, workspace: Workspace, given: Json) -> str:
        if not workspace.locked_by:
            raise Refused(409, "workspace must be locked to create a state version")
        for name in ("serial", "md5"):
            if name not in given:
                raise Refused(422, f"{name} is missing")
        newest = workspace.states[-1] if workspace.states else None
        if newest and not given.get("force"):
            if given.get("lineage") != newest["lineage"]:
                raise Refused(409, "the lineage does not match the current state version")
            if given["serial"] < newest["serial"] or (
                given["serial"] == newest["serial"] and given["md5"] != newest["md5"]
            ):
                raise Refused(409, "the serial is not above that of the current state version")
        identifier = self.new("sv")
        self.pending_states[identifier] = (workspace.id, dict(given))
        if given.get("state"):
            self.fill_state(identifier, base64.b64decode(given["state"]))
        return identifier

    def fill_state(self, identifier: str, raw: bytes) -> None:
        """The content of a state version; from now on it is the current one."""
        workspace, given = self.pending_states[identifier]
        if hashlib.md5(raw).hexdigest() != given["md5"]:
            raise Refused(422, "md5 does not match")
        data = json.loads(raw)
        kept = {"id": identifier, "serial": data["serial"], "lineage": data["lineage"], "md5": given["md5"], "raw": raw}
        self.workspaces[workspace].states.append(kept)

    def make_run(self, workspace: Workspace, version: str, options: Json, script: list[str]) -> Run:
        if version not in self.versions or self.versions[version]["status"] != "uploaded":
            raise Refused(422, "configuration version has not been uploaded")
        run = Run(self.new("run"), workspace.id, version, options, script=script)
        self.runs[run.id] = run
        workspace.runs.append(run.id)
        self.started(run)
        return run

    def position(self, run: Run) -> int:
        """How many runs of the same workspace are before this one, plus one."""
        before = itertools.takewhile(lambda one: one != run.id, self.workspaces[run.workspace].runs)
        return 1 + sum(not self.runs[one].ended for one in before)
