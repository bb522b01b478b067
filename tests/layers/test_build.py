"""Every layer of every cluster builds as kustomize-controller does, root Kustomization first; no cluster runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from blackstart.config import load
from blackstart.config.model import ClusterConfig
from blackstart.layers import is_ours, wiring

ROOT = Path(__file__).parents[2]
Doc = Mapping[str, Any]
Layers = Mapping[str, Sequence[Doc]]


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Flux fetches, as it stands in the work tree."""
    return fetched(tmp_path_factory.mktemp("export"))


def fetched(into: Path) -> Path:
    shutil.copytree(ROOT / "gitops", into / "gitops")
    return into


def cluster_layers(export: Path, config: ClusterConfig) -> Layers:
    """Objects by layer, dependencies first. A layer that does not build, or misses a variable, fails here."""
    found = wiring(export, config)
    ours = [layer.name for layer in found.layers if is_ours(layer)]
    built = {name: found.built[name] for name in ours}
    assert {name: (one.error, one.missing) for name, one in built.items()} == dict.fromkeys(ours, ("", ()))
    return {name: one.objects for name, one in built.items()}


def configured(cluster: str, charts: object) -> ClusterConfig:
    return ClusterConfig.model_validate({**load(ROOT, cluster).model_dump(), "charts": charts})


def of_kind(layers: Layers, kind: str) -> dict[str, Doc]:
    return {one["metadata"]["name"]: one for objects in layers.values() for one in objects if one["kind"] == kind}


MIRROR = "oci://registry.example.com/charts"
EVERY_CHOICE = [
    (cluster, charts) for cluster in ("local", "production") for charts in ("bundled", "upstream", "mirror")
]


@pytest.mark.parametrize(("cluster", "charts"), EVERY_CHOICE)
def test_every_layer_builds_with_charts_from_where_the_setting_says(cluster: str, charts: str, export: Path) -> None:
    layers = cluster_layers(export, configured(cluster, {"mirror": MIRROR} if charts == "mirror" else charts))
    assert list(layers) == ["controllers", "certs", "apps"]
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


def test_the_clusters_differ_by_settings_alone(export: Path) -> None:
    """With the same charts and the same settings, both build the same objects."""
    local = load(ROOT, "local")
    swapped = configured("production", "bundled").model_copy(update={"settings": local.settings})
    assert cluster_layers(export, swapped) == cluster_layers(export, local)


def test_settings_arrive_with_their_types(export: Path) -> None:
    layers = cluster_layers(export, configured("production", "upstream"))
    pool = of_kind(layers, "CiliumLoadBalancerIPPool")["default"]
    assert pool["spec"]["blocks"] == [{"cidr": load(ROOT, "production").settings["ip_pool"]}]
    assert of_kind(layers, "Certificate")["wildcard"]["spec"]["issuerRef"]["name"] == "letsencrypt-staging"
    gitlab = of_kind(layers, "HelmRelease")["gitlab"]["spec"]["values"]["global"]
    assert gitlab["minio"]["enabled"] is False
    assert gitlab["appConfig"]["object_store"]["enabled"] is True
    assert of_kind(layers, "GitRepository")["gateway-api"]["spec"]["url"].startswith("https://github.com/")
