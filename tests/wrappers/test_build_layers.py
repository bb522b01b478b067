"""The real build-layers, on small checkouts: it does what kustomize-controller would."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from blackstart import toolchain
from blackstart.errors import CommandFailed
from blackstart.tools.process import Command, run

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {%s}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "layer").mkdir()
    return tmp_path


def render(root: Path, **layer: Any) -> dict[str, Any]:
    """Builds one layer, `./layer` unless said otherwise."""
    asked = {"root": str(root), "layers": [{"name": "one", "path": "./layer", **layer}]}
    done = run(Command([str(toolchain.path("build-layers"))], stdin=json.dumps(asked), timeout=30))
    answer: dict[str, Any] = json.loads(done.stdout)["layers"][0]
    return answer


def test_a_folder_without_kustomization_holds_what_lies_in_it(root: Path) -> None:
    (root / "layer" / "a.yaml").write_text(CONFIG_MAP % ("a", "k: v"))
    (root / "layer" / "deeper").mkdir()
    (root / "layer" / "deeper" / "b.yaml").write_text(CONFIG_MAP % ("b", "k: v"))
    answer = render(root)
    assert answer["error"] is None
    assert [item["metadata"]["name"] for item in answer["objects"]] == ["a", "b"]
    assert not (root / "layer" / "kustomization.yaml").exists()


def test_variables_are_filled_in_and_those_without_default_named(root: Path) -> None:
    (root / "layer" / "a.yaml").write_text(
        CONFIG_MAP % ("a", 'd: "${domain}", o: "${other:=else}", m: "x${missing}", s: "$$still"')
    )
    answer = render(root, substitute={"domain": "example.test"})
    assert answer["objects"][0]["data"] == {"d": "example.test", "o": "else", "m": "x", "s": "$still"}
    assert answer["variables"] == ["domain", "missing"]


def test_without_post_build_nothing_is_filled_in(root: Path) -> None:
    (root / "layer" / "a.yaml").write_text(CONFIG_MAP % ("a", 'd: "${domain}"'))
    answer = render(root, substitute=None)
    assert answer["objects"][0]["data"] == {"d": "${domain}"}
    assert answer["variables"] == []


def test_an_object_may_opt_out_of_variables(root: Path) -> None:
    text = CONFIG_MAP % ("a, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}", 'd: "${domain}"')
    (root / "layer" / "a.yaml").write_text(text)
    answer = render(root, substitute={"domain": "example.test"})
    assert answer["objects"][0]["data"] == {"d": "${domain}"}
    assert answer["variables"] == []


def test_the_spec_of_the_kustomization_counts(root: Path) -> None:
    (root / "layer" / "a.yaml").write_text(CONFIG_MAP % ("a", "k: v"))
    patch = {"patch": '[{"op": "add", "path": "/data/more", "value": "yes"}]', "target": {"kind": "ConfigMap"}}
    answer = render(root, spec={"targetNamespace": "here", "patches": [patch], "postBuild": {"substituteFrom": []}})
    assert answer["objects"][0]["metadata"]["namespace"] == "here"
    assert answer["objects"][0]["data"] == {"k": "v", "more": "yes"}


def test_a_layer_may_use_files_beside_it_but_none_outside_the_repository(root: Path) -> None:
    (root / "shared.yaml").write_text(CONFIG_MAP % ("shared", "k: v"))
    kustomization = root / "layer" / "kustomization.yaml"
    kustomization.write_text("resources: [../shared.yaml]\n")
    assert render(root)["error"] is None
    kustomization.write_text("resources: [../../outside.yaml]\n")
    (root.parent / "outside.yaml").write_text(CONFIG_MAP % ("outside", "k: v"))
    assert "outside.yaml" in render(root)["error"]


def test_a_remote_base_is_an_error_since_this_works_offline(root: Path) -> None:
    (root / "layer" / "kustomization.yaml").write_text("resources: ['https://example.test/a.yaml']\n")
    assert "kustomize build failed" in render(root)["error"]


def test_an_encrypted_secret_is_built_as_it_is(root: Path) -> None:
    sops = "sops: {mac: 'ENC[AES256_GCM,data:x]', version: 3.11.0}\n"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: 'ENC[AES256_GCM,data:x]'}\n"
    (root / "layer" / "s.sops.yaml").write_text(secret + sops)
    answer = render(root, substitute={"a": "b"})
    assert answer["objects"][0]["stringData"] == {"a": "ENC[AES256_GCM,data:x]"}
    assert "sops" in answer["objects"][0]


def test_what_the_source_controller_leaves_out_is_not_there(root: Path) -> None:
    (root / "layer" / "a.yaml").write_text(CONFIG_MAP % ("a", "k: v"))
    (root / "layer" / "b.yaml").write_text(CONFIG_MAP % ("b", "k: v"))
    (root / "secret.yaml").write_text(CONFIG_MAP % ("linked", "k: v"))
    os.symlink(root / "secret.yaml", root / "layer" / "c.yaml")
    (root / ".sourceignore").write_text("/layer/b.yaml\n")
    assert [item["metadata"]["name"] for item in render(root)["objects"]] == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [\n", "yaml"), ("resources: [gone.yaml]\n", "gone.yaml")],
)
def test_a_layer_that_cannot_be_built_says_why_without_naming_temporary_folders(
    root: Path, text: str, said: str
) -> None:
    (root / "layer" / "kustomization.yaml").write_text(text)
    answer = render(root)
    assert said in answer["error"]
    assert "build-layers-" not in answer["error"]
    assert answer["objects"] == []


def test_a_path_that_does_not_exist_is_an_error_of_that_layer(root: Path) -> None:
    assert render(root, path="./gone")["error"] == "kustomization path not found: ./gone"


def test_a_path_does_not_lead_out_of_the_repository(root: Path) -> None:
    assert "not found" in render(root, path="../../etc")["error"]


def test_a_request_that_is_none_ends_with_an_error() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(Command([str(toolchain.path("build-layers"))], stdin='{"root": "/", "layer": []}', timeout=30))
    assert caught.value.code == 2
    assert 'unknown field "layer"' in caught.value.tail
