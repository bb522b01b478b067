"""Flux itself is upgraded by `up`: CRDs and controllers are the new ones, and no pod of a layer is replaced."""

from __future__ import annotations

from tests.desk import Desk

OLD, NEW = "2.8.8", "2.9.4"


def test_another_flux_version_replaces_flux_and_no_pod_of_a_layer(desk: Desk) -> None:
    desk.good("toolchain", "install", "--flux", OLD)
    desk.edit("clusters/local.yaml", f"version: {NEW}", f"version: {OLD}")
    desk.commit("an older Flux")
    desk.good("up")
    pods, images, generations = layer_pods(desk), flux_images(desk), crd_generations(desk)
    desk.edit("clusters/local.yaml", f"version: {OLD}", f"version: {NEW}")
    desk.commit("the newer Flux")
    desk.good("up")
    assert layer_pods(desk) == pods
    assert len(images) >= 3 and not images & flux_images(desk)
    renewed = {name for name, generation in crd_generations(desk).items() if generation > generations.get(name, 0)}
    assert "kustomizations.kustomize.toolkit.fluxcd.io" in renewed


def flux_images(desk: Desk) -> set[str]:
    """The images of Flux's controllers."""
    deployments = desk.api().list_all("Deployment", "flux-system")
    return {thing["spec"]["template"]["spec"]["containers"][0]["image"] for thing in deployments}


def crd_generations(desk: Desk) -> dict[str, int]:
    """How often each CRD of Flux was changed."""
    crds = [crd["metadata"] for crd in desk.api().list_all("CustomResourceDefinition")]
    return {meta["name"]: int(meta["generation"]) for meta in crds if meta["name"].endswith("fluxcd.io")}


def layer_pods(desk: Desk) -> set[str]:
    """The UIDs of all pods but Flux's own."""
    pods = [pod["metadata"] for pod in desk.api().list_all("Pod")]
    return {pod["uid"] for pod in pods if pod["namespace"] != "flux-system"}
