"""Flux itself is upgraded by `up`: CRDs and controllers are the new ones, and no pod of a layer is replaced."""

from __future__ import annotations

from tests.desk import Desk

OLD, NEW = "2.8.8", "2.9.4"


def test_another_flux_version_replaces_flux_and_no_pod_of_a_layer(desk: Desk) -> None:
    desk.good("toolchain", "install", "--flux", OLD)
    desk.edit("clusters/local.yaml", f"version: {NEW}", f"version: {OLD}")
    desk.commit("an older Flux")
    desk.good("up")
    assert versions(desk) == {f"v{OLD}"}
    before = layer_pods(desk)
    desk.edit("clusters/local.yaml", f"version: {OLD}", f"version: {NEW}")
    desk.commit("the newer Flux")
    desk.good("up")
    assert versions(desk) == {f"v{NEW}"}
    assert layer_pods(desk) == before


def versions(desk: Desk) -> set[str]:
    """What Flux's own CRDs and Deployments say of their version."""
    label = "app.kubernetes.io/version"
    kinds = desk.api().list_all("CustomResourceDefinition") + desk.api().list_all("Deployment", "flux-system")
    flux = [thing["metadata"] for thing in kinds if "fluxcd" in str(thing["spec"].get("group", "fluxcd"))]
    return {str(meta["labels"][label]) for meta in flux if label in (meta.get("labels") or {})}


def layer_pods(desk: Desk) -> set[str]:
    """The UIDs of all pods but Flux's own."""
    pods = [pod["metadata"] for pod in desk.api().list_all("Pod")]
    return {pod["uid"] for pod in pods if pod["namespace"] != "flux-system"}
