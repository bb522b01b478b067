"""Every gate looked at once: `status -o json` (design, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import BlackstartError, KeyProblem
from blackstart.gates import Object, Ready, Snapshot, condition, key_of
from blackstart.gates.flux import NAMESPACE, at_commit, layer, revision_of
from blackstart.gates.key import key_secret, recipients_in
from blackstart.tools.age import find_key
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import parse_state


def status(ws: Workspace, config: ClusterConfig) -> dict[str, Any]:
    """What is there, as JSON; `ready` only when every stack, layer and the key are as they should be.

    `error` says why the cluster could not be asked, where it could not.
    """
    stacks = [{"name": name, "applied": _applied(ws, config, name)} for name in ws.stack_ids(config.state.layout)]
    found: dict[str, Any] = {
        "cluster": ws.cluster,
        "provider": config.provider,
        "identity": None,
        "commit": "",
        "ready": False,
        "stacks": stacks,
        "layers": [],
        "secrets": {"sops_age": {"present": False, "recipients": [], "matches": False}},
    }
    try:
        _ask(ws, config, found)
    except BlackstartError as error:
        found["error"] = error.message
    return found


def _ask(ws: Workspace, config: ClusterConfig, found: dict[str, Any]) -> None:
    cluster = Cluster(ws.kubeconfig, timeout=config.timeouts.api)
    identity = cluster.identity()
    found["identity"] = {"uid": identity.uid, "ca_sha256": identity.ca_sha256, "endpoint": identity.endpoint}
    snapshot = take(cluster)
    repository = snapshot.get(("GitRepository", NAMESPACE, "flux-system"), {})
    found["commit"] = revision_of(repository)
    found["layers"] = [_layer(snapshot, thing, found["commit"]) for thing in layers_in(snapshot)]
    secret = cluster.get("Secret", "sops-age", NAMESPACE)
    found["secrets"]["sops_age"] = _key(ws, config, secret)
    reconciled = repository and isinstance(at_commit(repository, found["commit"]), Ready)
    found["ready"] = bool(reconciled and all(one["ready"] for one in found["layers"]) and _prepared(found))


def latched(found: dict[str, Any]) -> dict[str, Any]:
    """The same after every layer was seen Ready: Flux may be looking at one anew (design, section 5, 4)."""
    layers = [{**one, "ready": True} for one in found["layers"]]
    return {**found, "layers": layers, "ready": _prepared(found)}


def _prepared(found: dict[str, Any]) -> bool:
    """Everything but the layers."""
    applied = all(one["applied"] for one in found["stacks"])
    return bool(found["layers"] and applied and found["secrets"]["sops_age"]["matches"])


def take(cluster: Cluster) -> Snapshot:
    """The Flux objects as they are now."""
    kinds = ("GitRepository", "Kustomization", "HelmRelease")
    return {key_of(kind, thing): thing for kind in kinds for thing in cluster.list_all(kind)}


def layers_in(snapshot: Snapshot) -> list[Object]:
    """The Kustomizations but the root, dependencies first."""
    found = {key[2]: thing for key, thing in snapshot.items() if key[0] == "Kustomization" and key[2] != "flux-system"}
    ordered: list[Object] = []
    while found:
        free = [name for name, thing in found.items() if not set(_needs(thing)) & set(found)]
        ordered += [found.pop(name) for name in sorted(free or found)]
    return ordered


def _needs(thing: Object) -> Sequence[str]:
    return [needed["name"] for needed in thing["spec"].get("dependsOn", ())]


def _layer(snapshot: Snapshot, thing: Object, commit: str) -> dict[str, Any]:
    name = thing["metadata"]["name"]
    outcome = layer(snapshot, name, commit, thing["metadata"]["namespace"])
    ready = condition(thing, "Ready")
    return {
        "name": name,
        "path": thing["spec"].get("path", ""),
        "ready": isinstance(outcome, Ready),
        "revision": thing.get("status", {}).get("lastAppliedRevision", ""),
        "reason": ready.get("reason", "") if isinstance(outcome, Ready) else outcome.reason,
        "message": ready.get("message", ""),
        "depends_on": list(_needs(thing)),
    }


def _key(ws: Workspace, config: ClusterConfig, secret: Object | None) -> dict[str, Any]:
    values = ((secret or {}).get("data") or {}).items()
    held = sorted({one for name, value in values if name.endswith(".agekey") for one in recipients_in(value) or ()})
    try:
        expected = find_key(ws, config).recipients
    except KeyProblem:  # status also works where the private key is not: the first recipient is the cluster's own
        expected = (config.sops.recipients[0],)
    matches = isinstance(key_secret(secret, expected), Ready)
    return {"present": secret is not None, "recipients": held, "matches": matches}


def _applied(ws: Workspace, config: ClusterConfig, name: str) -> bool:
    """Whether the stack's state holds anything; a state kept elsewhere is not asked for."""
    if config.state.backend != "local":
        return True
    try:
        state = parse_state(ws.state(name).read_text())
    except (OSError, ValueError):
        return False
    return bool(state and state.resources)
