"""What the peer answers, one function a request; `docs/hcp.md` names the documents they follow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.hcp import views
from tests.hcp.store import Refused, Run

if TYPE_CHECKING:
    from tests.hcp.peer import Peer

Json = dict[str, Any]
TABLE: list[tuple[str, re.Pattern[str], Callable[[Peer, Call], Any]]] = []
ORGANIZATION = "acme"


@dataclass(frozen=True)
class Call:
    """A request: what its path names, its query, its body."""

    names: tuple[str, ...]
    query: dict[str, str]
    body: Any

    @property
    def given(self) -> Json:
        """The attributes of the body. Raises Refused without a type."""
        data = (self.body or {}).get("data")
        if not isinstance(data, dict) or "type" not in data:
            raise Refused(422, "data.type is missing")
        return data.get("attributes") or {}

    def related(self, name: str) -> str:
        """The id of a to-one relationship of the body, or blank."""
        one = ((self.body["data"].get("relationships") or {}).get(name) or {}).get("data")
        return one["id"] if one else ""


def route(method: str, pattern: str) -> Callable[[Callable[[Peer, Call], Any]], Callable[[Peer, Call], Any]]:
    """Serve a path below /api/v2/ (or /_ for signed URLs); `*` stands for a name."""
    whole = pattern if pattern.startswith("/") else f"/api/v2/{pattern}"
    compiled = re.compile(whole.replace("*", "([^/]+)"))

    def add(function: Callable[[Peer, Call], Any]) -> Callable[[Peer, Call], Any]:
        TABLE.append((method, compiled, function))
        return function

    return add


def _page(found: list[Json], query: dict[str, str]) -> Json:
    size, number = int(query.get("page[size]", 20)), int(query.get("page[number]", 1))
    more = number + 1 if number * size < len(found) else None
    pagination = {"current-page": number, "next-page": more, "total-count": len(found)}
    return {"data": found[(number - 1) * size : number * size], "meta": {"pagination": pagination}}


def _organization(name: str) -> None:
    if name != ORGANIZATION:
        raise Refused(404, "not found")


@route("GET", "ping")
def _ping(peer: Peer, call: Call) -> Any:
    return 204, None


@route("GET", "organizations/*/entitlement-set")
def _entitlements(peer: Peer, call: Call) -> Any:
    _organization(call.names[0])
    return {"data": views.thing("entitlement-sets", "org-1", {"operations": True, "state-storage": True})}


@route("GET", "organizations/*/projects")
def _projects(peer: Peer, call: Call) -> Any:
    _organization(call.names[0])
    wanted = call.query.get("filter[names]")
    found = peer.store.projects.items()
    shown = [views.thing("projects", one, {"name": name}) for one, name in found if wanted in (None, name)]
    return _page(shown, call.query)


@route("POST", "organizations/*/projects")
def _make_project(peer: Peer, call: Call) -> Any:
    name = call.given["name"]
    if name in peer.store.projects.values():
        raise Refused(422, "Name has already been taken")
    made = peer.store.new("prj")
    peer.store.projects[made] = name
    return 201, {"data": views.thing("projects", made, {"name": name})}


@route("GET", "organizations/*/agent-pools")
def _pools(peer: Peer, call: Call) -> Any:
    shown = [views.thing("agent-pools", one, {"name": name}) for one, name in peer.store.pools.items()]
    return _page(shown, call.query)


@route("GET", "organizations/*/workspaces")
def _workspaces(peer: Peer, call: Call) -> Any:
    _organization(call.names[0])
    project = call.query.get("filter[project][id]")
    found = [one for one in peer.store.workspaces.values() if project in (None, one.project)]
    return _page([views.workspace(one) for one in found], call.query)


@route("POST", "organizations/*/workspaces")
def _make_workspace(peer: Peer, call: Call) -> Any:
    _organization(call.names[0])
    made = peer.store.make_workspace(call.given, call.related("project"), call.related("agent-pool"))
    return 201, {"data": views.workspace(made)}


@route("GET", "organizations/*/workspaces/*")
def _workspace_named(peer: Peer, call: Call) -> Any:
    _organization(call.names[0])
    return {"data": views.workspace(peer.store.named(call.names[1]))}


@route("GET", "workspaces/*")
def _workspace(peer: Peer, call: Call) -> Any:
    return {"data": views.workspace(peer.store.workspace(call.names[0]))}


@route("PATCH", "workspaces/*")
def _change_workspace(peer: Peer, call: Call) -> Any:
    found = peer.store.workspace(call.names[0])
    peer.store.change_workspace(found, call.given, call.related("project"), call.related("agent-pool"))
    return {"data": views.workspace(found)}


@route("POST", "workspaces/*/relationships/tags")
def _tag(peer: Peer, call: Call) -> Any:
    found = peer.store.workspace(call.names[0])
    names = found.attributes["tag-names"]
    names += [one["attributes"]["name"] for one in call.body["data"] if one["attributes"]["name"] not in names]
    return 204, None


@route("GET", "workspaces/*/vars")
def _variables(peer: Peer, call: Call) -> Any:
    found = peer.store.workspace(call.names[0]).variables
    return {"data": [views.variable(identifier, one) for identifier, one in found.items()]}


@route("POST", "workspaces/*/vars")
def _make_variable(peer: Peer, call: Call) -> Any:
    held = peer.store.workspace(call.names[0]).variables
    given = {"sensitive": False, "description": "", "hcl": False, **call.given}
    if any((one["key"], one["category"]) == (given["key"], given["category"]) for one in held.values()):
        raise Refused(422, "Key has already been taken")
    made = peer.store.new("var")
    held[made] = given
    return 201, {"data": views.variable(made, given)}


@route("PATCH", "workspaces/*/vars/*")
def _change_variable(peer: Peer, call: Call) -> Any:
    held = peer.store.workspace(call.names[0]).variables
    if call.names[1] not in held:
        raise Refused(404, "not found")
    if held[call.names[1]]["sensitive"] and call.given.get("sensitive") is False:
        raise Refused(422, "a sensitive variable cannot be made readable")
    held[call.names[1]].update(call.given)
    return {"data": views.variable(call.names[1], held[call.names[1]])}


@route("GET", "workspaces/*/run-triggers")
def _triggers(peer: Peer, call: Call) -> Any:
    if call.query.get("filter[run-trigger][type]") not in ("inbound", "outbound"):
        raise Refused(422, "filter[run-trigger][type] is missing")
    found = peer.store.workspace(call.names[0]).triggers
    related = {one: {"sourceable": ("workspaces", source)} for one, source in found.items()}
    return _page([views.thing("run-triggers", one, {}, related[one]) for one in found], call.query)


@route("POST", "workspaces/*/run-triggers")
def _make_trigger(peer: Peer, call: Call) -> Any:
    source = peer.store.workspace(call.related("sourceable"))
    found = peer.store.workspace(call.names[0])
    if source.id in found.triggers.values():
        raise Refused(422, "Sourceable has already been taken")
    made = peer.store.new("rt")
    found.triggers[made] = source.id
    return 201, {"data": views.thing("run-triggers", made, {})}


@route("POST", "workspaces/*/actions/*")
def _lock(peer: Peer, call: Call) -> Any:
    found, action = peer.store.workspace(call.names[0]), call.names[1]
    if action == "lock":
        peer.store.take_lock(found, (call.body or {}).get("reason") or "somebody")
    elif action in ("unlock", "force-unlock"):
        peer.store.release(found)
    else:
        raise Refused(404, "not found")
    return {"data": views.workspace(found)}


@route("GET", "workspaces/*/current-state-version")
def _current_state(peer: Peer, call: Call) -> Any:
    found = peer.store.workspace(call.names[0])
    if not found.states:
        raise Refused(404, "not found")
    return {"data": views.state(peer.base, found.states[-1])}


@route("GET", "workspaces/*/current-state-version-outputs")
def _current_outputs(peer: Peer, call: Call) -> Any:
    found = peer.store.workspace(call.names[0])
    if not found.states:
        raise Refused(404, "not found")
    outputs = json.loads(found.states[-1]["raw"]).get("outputs") or {}
    shown = [{"name": name, "sensitive": False, **one} for name, one in outputs.items()]
    return _page([views.thing("state-version-outputs", f"wsout-{one['name']}", one) for one in shown], call.query)


@route("POST", "workspaces/*/state-versions")
def _make_state(peer: Peer, call: Call) -> Any:
    if peer.refuse_state_uploads:
        raise Refused(422, "the state cannot be kept now")
    made = peer.store.make_state(peer.store.workspace(call.names[0]), call.given)
    return 201, {"data": views.state(peer.base, {"id": made, "serial": call.given["serial"]}, "pending")}


@route("GET", "state-versions/*")
def _state(peer: Peer, call: Call) -> Any:
    for workspace in peer.store.workspaces.values():
        for one in workspace.states:
            if one["id"] == call.names[0]:
                return {"data": views.state(peer.base, one)}
    raise Refused(404, "not found")


@route("PUT", "/_upload/state/*")
def _upload_state(peer: Peer, call: Call) -> Any:
    peer.store.fill_state(call.names[0], call.body)
    return None


@route("PUT", "/_upload/json/*")
def _upload_json(peer: Peer, call: Call) -> Any:
    return None


@route("GET", "/_download/*")
def _download(peer: Peer, call: Call) -> Any:
    states = [one for workspace in peer.store.workspaces.values() for one in workspace.states]
    return next(one["raw"] for one in states if one["id"] == call.names[0])


@route("POST", "workspaces/*/configuration-versions")
def _make_version(peer: Peer, call: Call) -> Any:
    made = peer.store.new("cv")
    peer.store.versions[made] = {"status": "pending", "content": b"", **call.given}
    return 201, {"data": views.version(peer.base, made, peer.store.versions[made])}


@route("GET", "configuration-versions/*")
def _version(peer: Peer, call: Call) -> Any:
    return {"data": views.version(peer.base, call.names[0], peer.store.versions[call.names[0]])}


@route("PUT", "/_upload/version/*")
def _upload_version(peer: Peer, call: Call) -> Any:
    peer.store.versions[call.names[0]].update(status="uploaded", content=call.body)
    return None


@route("POST", "runs")
def _make_run(peer: Peer, call: Call) -> Any:
    given, workspace = call.given, peer.store.workspace(call.related("workspace"))
    if workspace.attributes["execution-mode"] == "local":
        raise Refused(422, "the workspace's execution mode is local")
    run = peer.store.make_run(workspace, call.related("configuration-version"), given, list(peer.script))
    return 201, {"data": views.run(peer.store, run)}


@route("GET", "runs/*")
def _run(peer: Peer, call: Call) -> Any:
    found = _of(peer, call)
    if found.script:
        found.status = found.script.pop(0) if len(found.script) > 1 else found.script[0]
    return {"data": views.run(peer.store, found)}


@route("GET", "runs/*/run-events")
def _run_events(peer: Peer, call: Call) -> Any:
    _of(peer, call)
    return _page([], call.query)


@route("GET", "workspaces/*/runs")
def _runs(peer: Peer, call: Call) -> Any:
    found = reversed(peer.store.workspace(call.names[0]).runs)
    return _page([views.run(peer.store, peer.store.runs[one]) for one in found], call.query)


@route("POST", "runs/*/actions/*")
def _act_on_run(peer: Peer, call: Call) -> Any:
    found, action = _of(peer, call), call.names[1]
    if found.ended or (action == "apply" and not found.confirmable):
        raise Refused(409, f"transition not allowed: {found.status}")
    if action in ("cancel", "discard"):
        found.canceled = True
        found.status = "canceled" if action == "cancel" else "discarded"
        found.script = [found.status] if found.script else []
    found.decided.set()
    return 202, None


@route("GET", "plans/*/json-output-redacted")
def _plan_json(peer: Peer, call: Call) -> Any:
    return _of(peer, call).plan


@route("GET", "plans/*")
def _plan(peer: Peer, call: Call) -> Any:
    return {"data": views.phase(peer.base, "plan", _of(peer, call))}


@route("GET", "applies/*")
def _apply(peer: Peer, call: Call) -> Any:
    return {"data": views.phase(peer.base, "apply", _of(peer, call))}


@route("GET", "/_log/*/*")
def _log(peer: Peer, call: Call) -> Any:
    run = peer.store.runs[call.names[1]]
    log = run.logs[call.names[0]]
    return (b"\x02" + log)[int(call.query.get("offset", 0)) :] if log else b""


def _of(peer: Peer, call: Call) -> Run:
    identifier = call.names[0].removeprefix("plan-").removeprefix("apply-")
    if identifier not in peer.store.runs:
        raise Refused(404, "not found")
    return peer.store.runs[identifier]
