"""`charts: {mirror: …}`: a release takes its chart, at its pinned version, from one place (docs/charts.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from blackstart.tools.kubernetes import Cluster
from tests.cluster.chart_repository import helm, served
from tests.desk import Desk
from tests.layers.test_build import ROOT, cluster_layers, configured, fetched, of_kind

pytestmark = pytest.mark.cluster
RELEASE = "from-the-mirror"
REPOSITORIES = "apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/helmrepositories"
RELEASES = "apis/helm.toolkit.fluxcd.io/v2/namespaces/default/helmreleases"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The URL of a mirror on loopback that holds the stand-in of cert-manager at the version that is pinned."""
    layers = cluster_layers(fetched(tmp_path / "export"), configured("local", "upstream"))
    version = of_kind(layers, "HelmRelease")["cert-manager"]["spec"]["chart"]["spec"]["version"]
    folder = tmp_path / "mirror"
    helm(tmp_path, "package", str(ROOT / "gitops/charts/cert-manager"), "--version", version, "-d", str(folder))
    with served(folder, tmp_path) as url:
        yield url


def test_a_release_comes_from_the_mirror(ready: Desk, mirror: str, tmp_path: Path) -> None:
    api = ready.api()
    layers = cluster_layers(fetched(tmp_path / "mirrored"), configured("local", {"mirror": mirror}))
    repository = of_kind(layers, "HelmRepository")["jetstack"]
    spec = of_kind(layers, "HelmRelease")["cert-manager"]["spec"]
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": RELEASE, "namespace": "default"},
        "spec": {**spec, "storageNamespace": "default", "targetNamespace": "default"},
    }
    try:
        api.apply(dict(repository), path=f"{REPOSITORIES}/jetstack")
        api.apply(release, path=f"{RELEASES}/{RELEASE}")
        _wait_until_ready(api)
        chart = api.get("HelmChart", f"default-{RELEASE}", "flux-system")
        assert chart is not None
        assert chart["status"]["artifact"]["revision"] == spec["chart"]["spec"]["version"]
        assert api.get("Deployment", "cert-manager", "default") is not None
    finally:
        api.delete("HelmRelease", RELEASE, "default")
        _wait_until_gone(api)
        api.delete("HelmRepository", "jetstack", "flux-system")


def _wait_until_ready(api: Cluster) -> None:
    said = ""
    for change in api.watch("HelmRelease", "default", seconds=60):
        conditions = _conditions(change.object)
        said = str(conditions.get("Ready", {}).get("message", said))
        if conditions.get("Ready", {}).get("status") == "True":
            return
    pytest.fail(f"the release did not become Ready: {said}")


def _wait_until_gone(api: Cluster) -> None:
    releases, since = api.list_at("HelmRelease", "default")
    if not releases:
        return
    for change in api.watch("HelmRelease", "default", since=since, seconds=60):
        if change.type == "DELETED":
            return
    pytest.fail("the release is not taken away")


def _conditions(release: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["type"]: one for one in release.get("status", {}).get("conditions", [])}
