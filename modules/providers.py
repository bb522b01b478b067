"""The two pairs of Terraform providers, and how they reach a cluster.

State does not travel between the pairs (facts: other resource types, other schemas), so the pair is the operator's
choice, written in the cluster file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from blackstart.config.model import ClusterConfig, Existing
from modules.cdktf import HelmProvider, HelmProviderKubernetes, KubernetesProvider, TerraformStack
from modules.place import Place

VERSIONS = {
    "builtin": {"kubernetes": "1.13.4", "helm": "1.3.2"},
    "registry": {"kubernetes": ">= 3.2.1, < 4.0.0", "helm": ">= 3.1.2, < 4.0.0"},
}
TERRAFORM = ">= 1.11.0"


@dataclass(frozen=True, slots=True)
class Access:
    """How providers find the API: an expression for the kubeconfig's path, and the context in it; empty: not set."""

    config_path: str = ""
    context: str = ""


def access(place: Place) -> Access:
    """The way to a cluster of another stack.

    A kubeconfig that is missing is an error: given a constant path the legacy provider would fall back to localhost
    and take what answers there for the cluster (facts/terraform.md, 9).
    """
    shape = place.config.cluster
    if not isinstance(shape, Existing):
        return Access(_must_exist(json.dumps(place.relative(place.workspace.kubeconfig))))
    if not shape.kubeconfig or runs_remotely(place.config):
        return Access()
    if shape.kubeconfig.startswith("~"):
        return Access(_must_exist(f"pathexpand({json.dumps(shape.kubeconfig)})"), shape.context)
    return Access(_must_exist(json.dumps(_path(place, shape.kubeconfig))), shape.context)


def runs_remotely(config: ClusterConfig) -> bool:
    """Whether Terraform runs on another machine: nothing of this one is there (issue 8)."""
    cloud = config.state.cloud
    return config.state.backend == "cloud" and cloud is not None and cloud.execution != "local"


def use_kubernetes(stack: TerraformStack, place: Place, way: Access) -> None:
    """Configure the kubernetes provider of the chosen pair, at its version."""
    KubernetesProvider(stack, "kubernetes", config_path=way.config_path or None, config_context=way.context or None)
    _pin(stack, place, "kubernetes")


def use_helm(stack: TerraformStack, place: Place, way: Access) -> None:
    """Configure the helm provider of the chosen pair, at its version; both versions understand the same JSON."""
    cluster = HelmProviderKubernetes(config_path=way.config_path or None, config_context=way.context or None)
    HelmProvider(stack, "helm", kubernetes=cluster)
    _pin(stack, place, "helm")


def _pin(stack: TerraformStack, place: Place, name: str) -> None:
    stack.add_override(f"terraform.required_providers.{name}.version", VERSIONS[place.config.providers][name])


def _must_exist(path: str) -> str:
    return f"${{fileexists({path}) ? {path} : file({path})}}"


def _path(place: Place, kubeconfig: str) -> str:
    return kubeconfig if kubeconfig.startswith("/") else place.relative(place.workspace.root / kubeconfig)
