"""What must hold in the stacks whatever else changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SPLIT = ("builtin", "modern")


def stack(stacks: Path, name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((stacks / name / "cdk.tf.json").read_text())
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_checkout_gives_the_same_bytes(stacks: Path, synthesize: Callable[[str], Path]) -> None:
    other = synthesize("a folder of another name and depth") / ".." / ".."
    first = contents(stacks.parent)
    assert len(first) > 10
    assert contents(other / "cdktf.out") == first


def test_a_second_synth_leaves_nothing_of_the_first(stacks: Path) -> None:
    assert {path.name for path in (stacks / "builtin-flux" / "assets").iterdir()} == {
        "flux-chart",
        "flux-crds-chart",
        "flux-sync-chart",
    }


def test_each_pair_has_its_own_resource_types_and_versions(stacks: Path) -> None:
    legacy, modern = stack(stacks, "builtin-sops-age"), stack(stacks, "modern-sops-age")
    assert set(legacy["resource"]) == {"kubernetes_namespace", "kubernetes_secret", "terraform_data"}
    assert set(modern["resource"]) == {"kubernetes_namespace_v1", "kubernetes_secret_v1", "terraform_data"}
    assert legacy["terraform"]["required_providers"]["kubernetes"]["version"] == "1.13.4"
    assert modern["terraform"]["required_providers"]["kubernetes"]["version"].startswith(">= 3.2.1")


def test_with_the_modern_pair_the_key_is_ephemeral_and_write_only(stacks: Path) -> None:
    made = stack(stacks, "modern-sops-age")
    assert made["variable"]["age_key"] | {"description": ""} == {
        "description": "",
        "ephemeral": True,
        "nullable": False,
        "sensitive": True,
        "type": "string",
    }
    secret = made["resource"]["kubernetes_secret_v1"]["sops-age"]
    assert "data" not in secret
    assert secret["data_wo"] == {"age.agekey": "${trimspace(var.age_key)}"}
    assert secret["data_wo_revision"] >= 1


def test_with_the_modern_pair_git_credentials_are_write_only_and_come_before_the_first_pull(stacks: Path) -> None:
    made = stack(stacks, "modern-flux")["resource"]
    assert made["kubernetes_secret_v1"]["git-credentials"]["data_wo"] == "${jsondecode(var.git_credentials)}"
    assert "kubernetes_secret_v1.git-credentials" in made["helm_release"]["flux-sync"]["depends_on"]


@pytest.mark.parametrize("cluster", SPLIT)
@pytest.mark.parametrize("part", ["sops-age", "flux"])
def test_everything_in_the_cluster_stands_behind_the_guard(stacks: Path, cluster: str, part: str) -> None:
    made = stack(stacks, f"{cluster}-{part}")["resource"]
    guard = made["terraform_data"]["guard"]["lifecycle"]["precondition"][0]
    assert f"blackstart --cluster {cluster} recover" in guard["error_message"]
    assert made["terraform_data"]["identity"]["lifecycle"] == {"ignore_changes": ["input"]}
    before = {
        f"{kind}.{name}": set(body.get("depends_on", []))
        for kind, resources in made.items()
        if kind != "terraform_data"
        for name, body in resources.items()
    }
    assert before
    for address in before:
        assert reaches(address, "terraform_data.guard", before), address


def reaches(address: str, goal: str, edges: dict[str, set[str]]) -> bool:
    after = edges.get(address, set())
    return goal in after or any(reaches(other, goal, edges) for other in after)


@pytest.mark.parametrize("cluster", SPLIT)
def test_a_missing_kubeconfig_is_an_error_that_says_what_to_do(stacks: Path, cluster: str) -> None:
    path = f'"../../../.blackstart/{cluster}/kubeconfig"'
    way = stack(stacks, f"{cluster}-flux")["provider"]
    expression = way["kubernetes"][0]["config_path"]
    assert expression.startswith(f"${{fileexists({path}) ? {path} : file(")
    assert f"blackstart --cluster {cluster} recover" in expression
    assert way["helm"][0]["kubernetes"]["config_path"] == expression


def test_creating_and_waiting_are_two_resources_and_nothing_replaces_the_cluster(stacks: Path) -> None:
    made = stack(stacks, "modern-cluster")["resource"]["terraform_data"]
    assert "triggers_replace" not in made["cluster"]
    assert made["ready"]["depends_on"] == ["terraform_data.cluster"]
    assert made["ready"]["triggers_replace"] == {"nodes": "3"}


def test_settings_reach_helm_as_they_are_written(stacks: Path) -> None:
    values = stack(stacks, "builtin-flux")["resource"]["helm_release"]["flux-sync"]["values"][0]
    assert json.loads(values.replace("$${", "${").replace("%%{", "%{"))["settings"]["odd"] == "a ${b} %{c}"
    assert "$${b}" in values
    assert "%%{c}" in values


def test_no_output_carries_anything_from_stack_to_stack(stacks: Path) -> None:
    for folder in stacks.iterdir():
        made = stack(stacks, folder.name)
        assert "output" not in made
        assert "terraform_remote_state" not in made.get("data", {})


def test_lock_and_mirror_of_the_builtin_pair_are_put_where_terraform_looks(stacks: Path) -> None:
    assert (stacks / "builtin-flux" / "terraform.d" / "plugins").readlink().name == "mirror"
    assert not (stacks / "modern-flux" / "terraform.d").exists()
    assert not (stacks.parents[1] / "terraform.d").exists(), "some of the clusters take the registry's pair"
    assert "builtin pair" in (stacks / "builtin-flux" / ".terraform.lock.hcl").read_text()


def test_in_one_state_the_way_to_the_cluster_is_unknown_until_the_cluster_is_made(stacks: Path) -> None:
    made = stack(stacks, "single")
    for way in (made["provider"]["kubernetes"][0], made["provider"]["helm"][0]["kubernetes"]):
        assert '"../../../.blackstart/${terraform_data.cluster.output.name}/kubeconfig"' in way["config_path"]
    for kind in made["data"].values():
        assert [body["depends_on"] for body in kind.values()] == [["terraform_data.ready"]]


def test_in_one_state_the_parts_follow_each_other_and_the_layers_come_last(stacks: Path) -> None:
    made = stack(stacks, "single")["resource"]
    edges = {
        f"{kind}.{name}": set(body.get("depends_on", []))
        for kind, resources in made.items()
        for name, body in resources.items()
    }
    assert reaches("helm_release.flux-crds", "kubernetes_secret.sops-age", edges)
    assert edges["terraform_data.layers"] == {"helm_release.flux-sync"}
    gate = made["terraform_data"]["layers"]
    assert gate["provisioner"][0]["local-exec"]["command"].endswith("blackstart --cluster single status --wait")
    assert gate["count"] == '${var.suspended == "[]" ? 1 : 0}'


def test_nothing_in_a_remote_run_needs_this_machine(stacks: Path) -> None:
    for part in ("cluster", "sops-age", "flux"):
        text = (stacks / f"hcp-{part}" / "cdk.tf.json").read_text()
        assert "local-exec" not in text
        assert "kubeconfig" not in text
        assert "../" not in text
    assert stack(stacks, "hcp-flux")["provider"]["kubernetes"] == [{}]


def test_each_stack_has_a_workspace_of_its_own(stacks: Path) -> None:
    assert stack(stacks, "hcp-flux")["terraform"]["cloud"] == {
        "hostname": "tfe.example.test",
        "organization": "acme",
        "workspaces": {"name": "hcp-flux", "project": "blackstart"},
    }


def test_the_backends_of_terraform_are_passed_through_with_one_state_a_stack(stacks: Path) -> None:
    assert stack(stacks, "bucket-flux")["terraform"]["backend"] == {
        "s3": {"bucket": "states", "key": "bucket/bucket-flux.tfstate", "region": "eu", "use_lockfile": True}
    }
    assert stack(stacks, "shared-cluster")["terraform"]["backend"] == {
        "http": {
            "address": "https://git.example.test/state/shared-cluster",
            "lock_address": "https://git.example.test/state/shared-cluster/lock",
        }
    }


def test_an_existing_cluster_is_reached_by_the_file_and_context_of_the_operator(stacks: Path) -> None:
    way = stack(stacks, "bucket-flux")["provider"]["kubernetes"][0]
    assert way["config_context"] == "ops"
    assert 'pathexpand("~/.kube/config")' in way["config_path"]
    assert "provisioner" not in stack(stacks, "bucket-cluster")["resource"]["terraform_data"]["cluster"]
