"""How the peer shows what it keeps: JSON:API documents (HCP Terraform API v2)."""

from __future__ import annotations

from typing import Any

from tests.hcp.store import Run, Store, Workspace

Json = dict[str, Any]
ALL = [
    "can-update",
    "can-destroy",
    "can-queue-run",
    "can-queue-apply",
    "can-queue-destroy",
    "can-lock",
    "can-unlock",
    "can-force-unlock",
    "can-read-settings",
    "can-read-variable",
    "can-update-variable",
    "can-create-state-versions",
    "can-read-state-versions",
]


def thing(kind: str, identifier: str, attributes: Json, related: dict[str, tuple[str, str]] | None = None) -> Json:
    relations = {name: {"data": {"type": of, "id": one}} for name, (of, one) in (related or {}).items() if one}
    return {"id": identifier, "type": kind, "attributes": attributes, "relationships": relations}


def workspace(one: Workspace) -> Json:
    shown = {
        **one.attributes,
        "locked": bool(one.locked_by),
        "locked-reason": one.locked_by,
        "operations": one.attributes["execution-mode"] != "local",
        "permissions": dict.fromkeys(ALL, True),
        "actions": {"is-destroyable": True},
    }
    current = one.runs[-1] if one.runs else ""
    related = {
        "organization": ("organizations", "acme"),
        "project": ("projects", one.project),
        "agent-pool": ("agent-pools", one.pool),
        "current-run": ("runs", current),
    }
    return thing("workspaces", one.id, shown, related)


def variable(identifier: str, one: Json) -> Json:
    shown = {**one, "value": None if one.get("sensitive") else one["value"]}
    return thing("vars", identifier, shown)


def state(base: str, one: Json, status: str = "finalized") -> Json:
    identifier = one["id"]
    return thing(
        "state-versions",
        identifier,
        {
            "serial": one.get("serial"),
            "status": status,
            "hosted-state-download-url": f"{base}/_download/{identifier}",
            "hosted-state-upload-url": f"{base}/_upload/state/{identifier}",
            "hosted-json-state-upload-url": f"{base}/_upload/json/{identifier}",
        },
    )


def version(base: str, identifier: str, one: Json) -> Json:
    shown = {"status": one["status"], "upload-url": f"{base}/_upload/version/{identifier}"}
    return thing("configuration-versions", identifier, shown)


def run(store: Store, one: Run) -> Json:
    related = {
        "workspace": ("workspaces", one.workspace),
        "plan": ("plans", f"plan-{one.id}"),
        "apply": ("applies", f"apply-{one.id}"),
        "configuration-version": ("configuration-versions", one.version),
    }
    shown = {
        "status": one.status,
        "message": one.options.get("message", ""),
        "created-at": "2026-01-01T00:00:00Z",
        "is-destroy": bool(one.options.get("is-destroy")),
        "position-in-queue": store.position(one),
        "actions": {
            "is-confirmable": one.confirmable,
            "is-discardable": one.status in ("planned", "policy_checked", "policy_override", "cost_estimated"),
            "is-cancelable": not one.ended,
        },
    }
    return thing("runs", one.id, shown, related)


def phase(base: str, kind: str, one: Run) -> Json:
    counts = {
        f"resource-{name}": one.counts.get(name, 0) for name in ("additions", "changes", "destructions", "imports")
    }
    ended = one.logs[kind].endswith(b"\x03")
    shown = {
        **counts,
        "status": "finished" if ended else "running",
        "has-changes": bool(one.counts),
        "log-read-url": f"{base}/_log/{kind}/{one.id}",
    }
    return thing("plans" if kind == "plan" else "applies", f"{kind}-{one.id}", shown)
