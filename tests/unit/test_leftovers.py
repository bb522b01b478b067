"""What `down` waits for after the layers: what is on its way out, never what is kept or somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

from blackstart.gates import Key, Object, Ready, Waiting, leftovers

NOW = "2026-01-01T00:00:00Z"
WIDGET: Key = ("Widget.example.com", "", "first")


def thing(*, deleted: bool = False, finalizers: tuple[str, ...] = (), **rest: Any) -> Object:
    meta = {"name": "x", **({"deletionTimestamp": NOW} if deleted else {}), "finalizers": list(finalizers)}
    return {"metadata": meta, **rest}


def test_an_inventory_names_kinds_with_their_groups() -> None:
    entries = ["app_login__Secret", "_first_example.com_Widget", "_system__view_rbac.authorization.k8s.io_ClusterRole"]
    layer = {"status": {"inventory": {"entries": [{"id": one, "v": "v1"} for one in entries]}}}
    assert list(leftovers.applied(layer)) == [
        ("Secret", "app", "login"),
        WIDGET,
        ("ClusterRole.rbac.authorization.k8s.io", "", "system:view"),
    ]
    assert list(leftovers.applied({"status": {}})) == []


def test_what_a_foreign_finalizer_holds_is_named_with_it() -> None:
    snapshot = {WIDGET: thing(deleted=True, finalizers=("example.com/hold",))}
    found = leftovers.pruned(snapshot, [WIDGET])
    assert found == Waiting("not gone yet: Widget.example.com/first (finalizers example.com/hold)")


def test_a_namespace_says_what_is_left_in_it() -> None:
    message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    condition = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": message}
    space: Key = ("Namespace", "", "app")
    found = leftovers.pruned({space: thing(deleted=True, status={"conditions": [condition]})}, [space])
    assert isinstance(found, Waiting) and message in found.reason


def test_what_is_kept_on_purpose_and_what_is_gone_is_not_waited_for() -> None:
    assert leftovers.pruned({WIDGET: thing()}, [WIDGET, ("Secret", "app", "login")]) == Ready()


@pytest.mark.parametrize(
    ("deleted", "kind", "waits"),
    [(True, "LoadBalancer", True), (False, "LoadBalancer", False), (True, "ClusterIP", False)],
)
def test_only_a_load_balancer_that_goes_is_waited_for(deleted: bool, kind: str, waits: bool) -> None:
    service = thing(deleted=deleted, spec={"type": kind})
    assert isinstance(leftovers.released({("Service", "n", "s"): service}), Waiting) is waits


@pytest.mark.parametrize(
    ("policy", "claim", "others", "waits"),
    [
        ("Delete", None, (), True),
        ("Delete", thing(deleted=True), (), True),
        ("Delete", thing(), (), False),
        ("Retain", None, (), False),
        ("Delete", None, ("pv",), False),
    ],
)
def test_a_volume_whose_claim_goes_is_waited_for(
    policy: str, claim: Object | None, others: tuple[str, ...], waits: bool
) -> None:
    spec = {"persistentVolumeReclaimPolicy": policy, "claimRef": {"namespace": "n", "name": "data"}}
    snapshot = {("PersistentVolume", "", "pv"): thing(spec=spec)}
    if claim is not None:
        snapshot["PersistentVolumeClaim", "n", "data"] = claim
    assert isinstance(leftovers.released(snapshot, others), Waiting) is waits
