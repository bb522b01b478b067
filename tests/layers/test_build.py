"""Every layer of every cluster builds as kustomize-controller does, root Kustomization first; no cluster runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from blackstart import toolchain
from blackstart.config import load
from blackstart.config.model import ClusterConfig

ROOT = Path(__file__).parents[2]
Doc = dict[str, Any]


def build(layers: list[Doc]) -> list[Doc]:
    """What build-layers makes of the layers; one that does not build fails here."""
    request = json.dumps({"root": str(ROOT), "layers": layers})
    program = [str(toolchain.path("build-layers"))]
    done = subprocess.run(program, input=request, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    built: list[Doc] = json.loads(done.stdout)["layers"]
    assert [layer["error"] for layer in built] == [None] * len(layers)
    return built


def cluster_layers(config: ClusterConfig) -> dict[str, list[Doc]]:
    """Objects by layer, found through the root as Flux finds them."""
    settings = config.cluster_settings
    root = build([{"name": "flux-system", "path": config.git.path, "spec": {}, "substitute": settings}])[0]
    wanted = [
        {"name": one["metadata"]["name"], "path": one["spec"]["path"], "spec": one["spec"], "substitute": settings}
        for one in root["objects"]
    ]
    built = build(wanted)
    unset = {name for layer in built for name in layer["variables"]} - set(settings)
    assert not unset, f"variables without a value: {unset}"
    return {layer["name"]: layer["objects"] for layer in built}


def configured(cluster: str, charts: object) -> ClusterConfig:
    return ClusterConfig.model_validate({**load(ROOT, cluster).model_dump(), "charts": charts})


def of_kind(layers: dict[str, list[Doc]], kind: str) -> dict[str, Doc]:
    return {one["metadata"]["name"]: one for objects in layers.values() for one in objects if one["kind"] == kind}


MIRROR = "oci://registry.example.com/charts"
EVERY_CHOICE = [
    (cluster, charts) for cluster in ("local", "production") for charts in ("bundled", "upstream", "mirror")
]


@pytest.mark.parametrize(("cluster", "charts"), EVERY_CHOICE)
def test_every_layer_builds_and_takes_its_charts_from_where_the_setting_says(cluster: str, charts: str) -> None:
    layers = cluster_layers(configured(cluster, {"mirror": MIRROR} if charts == "mirror" else charts))
    assert list(layers) == ["apps", "certs", "controllers"]
    releases, repositories = of_kind(layers, "HelmRelease"), of_kind(layers, "HelmRepository")
    specs = [release["spec"]["chart"]["spec"] for release in releases.values()]
    if charts == "bundled":
        assert not repositories
        assert len(releases) == 6
        assert {spec["sourceRef"]["name"] for spec in specs} == {"flux-system"}
        assert all((ROOT / spec["chart"] / "Chart.yaml").is_file() for spec in specs)
        return
    assert len(releases) == 7
    assert {spec["sourceRef"]["name"] for spec in specs} == set(repositories)
    urls = {repository["spec"]["url"] for repository in repositories.values()}
    assert (urls == {MIRROR}) is (charts == "mirror")
    assert {one["spec"].get("type") for one in repositories.values()} == {"oci" if charts == "mirror" else None}


def test_the_clusters_differ_by_settings_alone() -> None:
    """With the same charts and the same settings, both build the same objects."""
    local = load(ROOT, "local")
    swapped = configured("production", "bundled").model_copy(update={"settings": local.settings})
    assert cluster_layers(swapped) == cluster_layers(local)


def test_settings_arrive_with_their_types() -> None:
    layers = cluster_layers(configured("production", "upstream"))
    pool = of_kind(layers, "CiliumLoadBalancerIPPool")["default"]
    assert pool["spec"]["blocks"] == [{"cidr": load(ROOT, "production").settings["ip_pool"]}]
    assert of_kind(layers, "Certificate")["wildcard"]["spec"]["issuerRef"]["name"] == "letsencrypt-staging"
    gitlab = of_kind(layers, "HelmRelease")["gitlab"]["spec"]["values"]["global"]
    assert gitlab["minio"]["enabled"] is False
    assert gitlab["appConfig"]["object_store"]["enabled"] is True
    assert of_kind(layers, "GitRepository")["gateway-api"]["spec"]["url"].startswith("https://github.com/")
