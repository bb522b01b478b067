"""The charts made of upstream's real manifests, rendered by the real helm."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from blackstart import toolchain
from blackstart.config.cache import FLUX_VERSION
from blackstart.toolchain.charts import MANIFESTS, manifests
from blackstart.tools.process import Command, run


def render(chart: Path, *more: str) -> list[Any]:
    argv = [str(toolchain.path("helm")), "template", "flux", str(chart), "--namespace", "elsewhere", *more]
    return [item for item in YAML(typ="safe").load_all(run(Command(argv, timeout=60)).stdout) if item]


@pytest.fixture(scope="module")
def upstream() -> list[Any]:
    folder = manifests(FLUX_VERSION)
    texts = [(folder / f"{name}.yaml").read_text() for name in MANIFESTS]
    return [item for text in texts for item in YAML(typ="safe").load_all(text) if item]


def names(items: list[Any]) -> list[tuple[str, str]]:
    return sorted((item["kind"], item["metadata"]["name"]) for item in items)


def test_the_two_charts_together_are_upstream_s_manifests(upstream: list[Any]) -> None:
    charts = toolchain.flux_charts(FLUX_VERSION)
    assert names(render(charts.crds) + render(charts.flux)) == names(upstream)


def test_crds_are_upstream_s_and_outlive_their_release(upstream: list[Any]) -> None:
    rendered = render(toolchain.flux_charts(FLUX_VERSION).crds)
    assert rendered
    specs = {item["metadata"]["name"]: item["spec"] for item in upstream if item["kind"].startswith("CustomResource")}
    for crd in rendered:
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert crd["spec"] == specs[crd["metadata"]["name"]]


def test_controllers_are_upstream_s_at_their_registry() -> None:
    rendered = render(toolchain.flux_charts(FLUX_VERSION).flux)
    images = [images_of(item) for item in rendered if item["kind"] == "Deployment"]
    assert len(images) == 4
    assert all(image.startswith("ghcr.io/fluxcd/") for image in images)


def images_of(deployment: Any) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def test_subjects_are_in_the_release_s_namespace() -> None:
    rendered = render(toolchain.flux_charts(FLUX_VERSION).flux)
    subjects = [one for item in rendered if item["kind"] == "ClusterRoleBinding" for one in item["subjects"]]
    assert {one["namespace"] for one in subjects} == {"elsewhere"}


def test_registry_and_arguments_are_values() -> None:
    more = ("--set", "registry=mirror.test", "--set", "extraArgs.kustomize-controller={--requeue-dependency=5s}")
    rendered = render(toolchain.flux_charts(FLUX_VERSION).flux, *more)
    deployments = {item["metadata"]["name"]: item for item in rendered if item["kind"] == "Deployment"}
    assert images_of(deployments["source-controller"]).startswith("mirror.test/fluxcd/")
    containers = {name: item["spec"]["template"]["spec"]["containers"][0] for name, item in deployments.items()}
    assert containers["kustomize-controller"]["args"][-1] == "--requeue-dependency=5s"
    assert "--requeue-dependency=5s" not in containers["helm-controller"]["args"]
