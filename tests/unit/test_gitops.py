"""What Flux applies, read as YAML: wiring, encryption, layers shared by the clusters (design, section 1)."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from blackstart.config import load
from blackstart.config.model import ClusterConfig
from blackstart.tools.sourceignore import left_out

ROOT = Path(__file__).parents[2]
FLUX = ROOT / "gitops" / "flux"
CHARTS = ROOT / "gitops" / "charts"
CLUSTERS = ("local", "production")
ORDER = {"controllers": [], "certs": ["controllers"], "apps": ["certs"]}
PATHS = {
    "controllers": "./gitops/flux/infrastructure/controllers",
    "certs": "./gitops/flux/infrastructure/certs",
    "apps": "./gitops/flux/apps",
}
Doc = dict[str, Any]


@cache
def read(path: Path) -> list[Doc]:
    return [doc for doc in YAML(typ="safe").load_all(path.read_text()) if doc]


def wiring(cluster: str) -> dict[str, Doc]:
    docs = [doc for path in sorted((FLUX / "clusters" / cluster).glob("*.yaml")) for doc in read(path)]
    return {doc["metadata"]["name"]: doc["spec"] for doc in docs}


def resources(folder: Path) -> list[Path]:
    """Every file that the kustomization of `folder` reaches."""
    found: list[Path] = []
    for name in read(folder / "kustomization.yaml")[0]["resources"]:
        path = folder / name
        found += resources(path) if path.is_dir() else [path]
    return found


def objects(kind: str) -> list[Doc]:
    paths = [path for layer in PATHS.values() for path in resources(ROOT / layer)]
    return [doc for path in paths for doc in read(path) if doc["kind"] == kind]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_layer_is_wired_in_order(cluster: str) -> None:
    layers = wiring(cluster)
    assert {name: [up["name"] for up in spec.get("dependsOn", [])] for name, spec in layers.items()} == ORDER
    assert {name: spec["path"] for name, spec in layers.items()} == PATHS
    for spec in layers.values():
        assert spec["wait"] is True
        assert spec["prune"] is True
        assert {"interval", "retryInterval", "timeout"} <= set(spec)
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "flux-system"}
        assert spec["decryption"] == {"provider": "sops", "secretRef": {"name": "sops-age"}}
        assert spec["postBuild"]["substituteFrom"] == [{"kind": "ConfigMap", "name": "cluster-settings"}]


def test_clusters_differ_only_in_their_pace() -> None:
    pace = {"interval", "retryInterval", "timeout"}
    local, production = wiring("local"), wiring("production")
    for name in ORDER:
        assert {key: value for key, value in local[name].items() if key not in pace} == {
            key: value for key, value in production[name].items() if key not in pace
        }


def test_layers_with_releases_take_the_component_that_the_setting_names() -> None:
    for name, spec in wiring("local").items():
        releases = any(doc["kind"] == "HelmRelease" for path in resources(ROOT / PATHS[name]) for doc in read(path))
        assert bool(spec.get("components")) is releases
        for component in spec.get("components", []):
            for choice in ("bundled", "upstream", "mirror"):
                folder = ROOT / PATHS[name] / component.replace("${charts}", choice)
                chosen = read(folder / "kustomization.yaml")[0]
                assert chosen["kind"] == "Component"
                assert chosen["patches"]  # kustomize refuses an empty one


def test_every_manifest_belongs_to_a_layer() -> None:
    reached = {path.resolve() for layer in PATHS.values() for path in resources(ROOT / layer)}
    lying = {path.resolve() for part in ("infrastructure", "apps") for path in (FLUX / part).rglob("*.yaml")}
    assert {path for path in lying if path.name != "kustomization.yaml"} == reached


def test_every_secret_is_encrypted_to_the_recipients_of_the_rule() -> None:
    rule = read(ROOT / ".sops.yaml")[0]["creation_rules"][0]
    recipients = {recipient.strip() for recipient in rule["age"].split(",")}
    sealed = sorted((ROOT / "gitops").rglob("*.sops.yaml"))
    assert len(sealed) >= 5
    for path in sealed:
        secret = read(path)[0]
        assert re.search(rule["path_regex"], path.relative_to(ROOT).as_posix())
        assert {entry["recipient"] for entry in secret["sops"]["age"]} == recipients
        assert secret["sops"]["encrypted_regex"] == rule["encrypted_regex"] == "^(data|stringData)$"
        assert secret["sops"]["mac_only_encrypted"] is True
        assert all(value.startswith("ENC[") for value in secret["stringData"].values())


def test_no_secret_stands_in_clear() -> None:
    for path in (ROOT / "gitops" / "flux").rglob("*.yaml"):
        clear = [doc for doc in read(path) if doc["kind"] == "Secret"]
        assert path.name.endswith(".sops.yaml") == bool(clear), path


def test_every_secret_is_used_by_a_release_or_an_issuer() -> None:
    users = "".join(
        path.read_text() for layer in PATHS.values() for path in resources(ROOT / layer) if ".sops." not in path.name
    )
    for secret in objects("Secret"):
        assert re.search(rf": {secret['metadata']['name']}$", users, re.MULTILINE), secret["metadata"]["name"]


def test_the_throwaway_key_says_so_and_belongs_to_local_alone() -> None:
    key = (ROOT / "keys" / "local.agekey").read_text()
    public = (ROOT / "keys" / "local.pub").read_text().strip()
    assert "throwaway" in key
    assert "embedded cluster only" in key
    assert load(ROOT, "local").sops.recipients == [public]
    assert load(ROOT, "local").provider == "embedded"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_variable_is_a_setting_or_has_a_default(cluster: str) -> None:
    config = load(ROOT, cluster)
    text = "".join(path.read_text() for layer in PATHS.values() for path in resources(ROOT / layer))
    needed = set(re.findall(r"\$\{(\w+)\}", text)) | {"charts"}
    assert needed <= set(config.cluster_settings)
    assert set(config.settings) <= needed | set(re.findall(r"\$\{(\w+):=", text))
    assert config.git.path == f"gitops/flux/clusters/{cluster}"


@pytest.mark.parametrize(
    ("url", "kind"), [("oci://registry.example.com/charts", "oci"), ("https://charts.example.com", "default")]
)
def test_a_mirror_becomes_the_settings_that_its_component_needs(url: str, kind: str) -> None:
    config = load(ROOT, "production")
    mirrored = ClusterConfig.model_validate({**config.model_dump(), "charts": {"mirror": url}})
    added = {"charts": "mirror", "charts_mirror": url, "charts_type": kind}
    assert mirrored.cluster_settings == {**config.settings, **added}
    component = (FLUX / "charts" / "mirror" / "kustomization.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", component)) == {"charts_mirror", "charts_type"}


def test_every_upstream_chart_is_pinned_to_one_version() -> None:
    repositories = {doc["metadata"]["name"] for doc in objects("HelmRepository")}
    for release in objects("HelmRelease"):
        chart = release["spec"]["chart"]["spec"]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", chart["version"])
        assert chart["sourceRef"]["kind"] == "HelmRepository"
        assert chart["sourceRef"]["name"] in repositories
        for action in ("install", "upgrade"):
            retried = release["spec"][action]
            assert retried.get("remediation", {}).get("retries") or retried["strategy"]["name"] == "RetryOnFailure"
        assert release["spec"]["timeout"]


def test_the_bundled_component_knows_a_chart_for_every_release_that_it_keeps() -> None:
    patches = read(FLUX / "charts" / "bundled" / "kustomization.yaml")[0]["patches"]
    deleted = {patch["target"].get("name") for patch in patches if "$patch: delete" in patch["patch"]}
    chosen = {
        patch["target"]["name"]: re.findall(r"value: \./(gitops/charts/[\w-]+)", patch["patch"])
        for patch in patches
        if "/spec/chart/spec/chart" in patch["patch"]
    }
    for release in objects("HelmRelease"):
        name = release["metadata"]["name"]
        folders = [path for pattern, found in chosen.items() if re.fullmatch(pattern, name) for path in found]
        assert len(folders) == (0 if name in deleted else 1), name
        assert all((ROOT / folder / "Chart.yaml").is_file() for folder in folders)


def test_kinds_of_a_later_layer_come_with_a_bundled_chart() -> None:
    """A layer without the one before it then fails for the real reason, `no matches for kind` (issue 3, item 8)."""
    crds = [read(path)[0]["spec"] for path in CHARTS.glob("*/crds/*.yaml")]
    served = {(f"{crd['group']}/{v['name']}", crd["names"]["kind"]) for crd in crds for v in crd["versions"]}
    custom = ("cilium.io/", "cert-manager.io/", "gateway.networking.k8s.io/")
    wanted = {
        (doc["apiVersion"], doc["kind"])
        for layer in ("certs", "apps")
        for path in resources(ROOT / PATHS[layer])
        for doc in read(path)
        if doc["apiVersion"].startswith(custom)
    }
    assert {kind for _, kind in wanted} >= {"CiliumLoadBalancerIPPool", "ClusterIssuer", "Certificate"}
    assert wanted <= served


def test_flux_fetches_all_it_reads_and_nothing_else() -> None:
    read_by_flux = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gitops").rglob("*") if path.is_file()}
    others = {"keys/local.agekey", "blackstart/errors.py", "clusters/local.yaml", ".sops.yaml"}
    assert left_out(ROOT, {".sourceignore", *read_by_flux, *others}) == {".sourceignore", *others}


@pytest.mark.parametrize(
    ("manager", "files", "pins"),
    [
        (0, "clusters/*.yaml", 2),
        (1, "clusters/*.yaml", 1),
        (2, "gitops/flux/**/release.yaml", 2),
        (3, "docs/charts.md", 6),
    ],
)
def test_renovate_finds_the_pins_that_its_own_managers_do_not(manager: int, files: str, pins: int) -> None:
    rule = json.loads((ROOT / "renovate.json").read_text())["customManagers"][manager]
    pattern = rule["matchStrings"][0].replace("(?<", "(?P<")
    found = [match for path in ROOT.glob(files) for match in re.finditer(pattern, path.read_text())]
    assert len(found) == pins
    searched = re.compile(rule["managerFilePatterns"][0].strip("/"))
    assert all(searched.match(path.relative_to(ROOT).as_posix()) for path in ROOT.glob(files))


def test_the_mirror_in_the_docs_is_filled_with_the_charts_that_are_used() -> None:
    urls = {doc["metadata"]["name"]: doc["spec"]["url"] for doc in objects("HelmRepository")}
    specs = [release["spec"]["chart"]["spec"] for release in objects("HelmRelease")]
    used = {f"{spec['chart']} {urls[spec['sourceRef']['name']]} {spec['version']}" for spec in specs}
    documented = re.search(r"<<'END'\n(.+?)END\n", (ROOT / "docs" / "charts.md").read_text(), re.DOTALL)
    assert documented
    assert set(documented[1].splitlines()) == used
