"""Layers as they are discovered from Git, with the real build-layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.config import ClusterConfig
from blackstart.errors import ConfigError
from blackstart.layers import Built, Layer, discover, in_order, is_ours, wiring

HEAD = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {}\n"
SPEC = "spec:\n  path: ./{}\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n"


@pytest.fixture
def config() -> ClusterConfig:
    return ClusterConfig.model_validate(
        {
            "cluster": {"provider": "embedded"},
            "git": {"path": "wiring"},
            "sops": {"recipients": ["age1" + "q" * 58]},
            "charts": "bundled",
            "settings": {"domain": "demo.test"},
        }
    )


def write(export: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (export / name).parent.mkdir(parents=True, exist_ok=True)
        (export / name).write_text(text)
    return export


def config_map(name: str, value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n"


def test_layers_in_order_with_their_places(tmp_path: Path, config: ClusterConfig) -> None:
    files = {
        "wiring/all.yaml": "# two\n---\n"
        + (HEAD + SPEC).format("b", "b")
        + "  dependsOn: [{name: a}]\n  wait: true\n  decryption: {provider: sops}\n---\n"
        + (HEAD + SPEC).format("a", "${domain}")
        + "  suspend: true\n",
        "demo.test/x.yaml": config_map("x", "y"),
        "b/x.yaml": config_map("x", "y"),
    }
    first, second = discover(write(tmp_path, files), config).layers
    assert (first.name, first.path, first.suspended, first.file, first.line) == (
        *("a", "demo.test", True, "wiring/all.yaml"),
        15,
    )
    assert (second.name, second.depends_on, second.wait, second.decrypts) == ("b", ("a",), True, True)


def test_layers_inside_layers_and_elsewhere(tmp_path: Path, config: ClusterConfig) -> None:
    elsewhere = "spec:\n  path: ./x\n  sourceRef: {kind: GitRepository, name: other}\n"
    files = {
        "wiring/outer.yaml": (HEAD + SPEC).format("outer", "outer"),
        "outer/inner.yaml": (HEAD + SPEC).format("inner", "deep") + "---\n" + HEAD.format("far") + elsewhere,
        "deep/x.yaml": config_map("x", "y"),
    }
    found = wiring(write(tmp_path, files), config)
    parents = {layer.name: layer.parent for layer in found.layers}
    assert parents == {"outer": "", "inner": "outer", "far": "outer"}
    assert set(found.built) == {"outer", "inner"}, "what lies in another repository is not built"
    assert [layer.name for layer in found.layers if not is_ours(layer)] == ["far"]


def test_variables_come_from_settings_config_maps_and_secrets(tmp_path: Path, config: ClusterConfig) -> None:
    post = (
        "  postBuild:\n    substitute: {own: o}\n    substituteFrom:\n"
        "      - {kind: ConfigMap, name: cluster-settings}\n      - {kind: Secret, name: more}\n"
    )
    secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: more\nstringData:\n  hidden: ENC[x]\n"
    files = {
        "wiring/a.yaml": (HEAD + SPEC).format("a", "a") + post,
        "wiring/secret.yaml": secret,
        "a/x.yaml": config_map("x", "${domain}-${charts}-${own}-${hidden}-${absent}-${given:=default}"),
    }
    built = wiring(write(tmp_path, files), config).built["a"]
    assert built.missing == ("absent",) and not built.error
    assert built.objects[0]["data"]["key"] == "demo.test-bundled-o-known-in-the-cluster--default"


def test_a_layer_that_does_not_build_is_told_with_the_others(tmp_path: Path, config: ClusterConfig) -> None:
    files = {
        "wiring/a.yaml": (HEAD + SPEC).format("a", "a"),
        "wiring/b.yaml": (HEAD + SPEC).format("b", "b"),
        "a/x.yaml": config_map("x", "y"),
        "b/kustomization.yaml": "resources: [absent.yaml]\n",
    }
    found = wiring(write(tmp_path, files), config)
    assert "absent.yaml" in found.built["b"].error and found.built["a"] != Built()
    assert str(tmp_path) not in found.built["b"].error


def test_nothing_to_deploy_is_an_error(tmp_path: Path, config: ClusterConfig) -> None:
    write(tmp_path, {"wiring/x.yaml": config_map("x", "y")})
    with pytest.raises(ConfigError, match="wiring holds no Flux Kustomization"):
        discover(tmp_path, config)
    write(tmp_path, {"wiring/x.yaml": "kind: [\n"})
    with pytest.raises(ConfigError, match="wiring does not build"):
        discover(tmp_path, config)


def test_a_cycle_keeps_every_layer() -> None:
    layers = (Layer("b", "b", ("a",)), Layer("a", "a", ("b",)), Layer("c", "c", ("unknown",)))
    assert [layer.name for layer in in_order(layers)] == ["a", "b", "c"]
