"""The two pairs of Terraform providers, and how they reach a cluster.

State does not travel between the pairs (other resource types, other schemas), so the pair is the operator's
choice, written in the cluster file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from blackstart.config.model import Existing
from blackstart.config.pairs import VERSIONS
from modules.cdktf import DataResource, HelmProvider, HelmProviderKubernetes, KubernetesProvider, TerraformStack
from modules.place import Place

TERRAFORM = ">= 1.11.0"


@dataclass(frozen=True, slots=True)
class Access:
    """How providers find the API: an expression for the kubeconfig's path, and the context in it; empty: not set."""

    config_path: str = ""
    context: str = ""


def access(place: Place, cluster: DataResource | None = None) -> Access:
    """The way to a cluster; `cluster` is the resource that makes it, when that stands in the same stack.

    A kubeconfig that is missing is an error: given a constant path the legacy provider would fall back to localhost
    and take what answers there for the cluster. In the cluster's own stack the path is made from a value of the
    resource, so that nobody looks for the file before it can be there.
    """
    shape = place.config.cluster
    if isinstance(shape, Existing) and (shape.kubeconfig or place.config.state.runs_remotely):
        return _existing(place, shape)
    kubeconfig = place.relative(place.workspace.kubeconfig)
    if cluster is not None:
        parent, name = kubeconfig.removesuffix(f"{place.cluster}/kubeconfig"), f"${{{cluster.fqn}.output.name}}"
        kubeconfig = f"{parent}{name}/kubeconfig"
    return Access(_must_exist(place, f'"{kubeconfig}"'))


def _existing(place: Place, shape: Existing) -> Access:
    """Of a remote run the workspace's variables say where the API is: KUBE_HOST, KUBE_TOKEN and its CA."""
    if place.config.state.runs_remotely:
        return Access()
    path = shape.kubeconfig
    if path.startswith("~"):
        return Access(_must_exist(place, f"pathexpand({json.dumps(path)})"), shape.context)
    seen = path if path.startswith("/") else place.relative(place.workspace.root / path)
    return Access(_must_exist(place, json.dumps(seen)), shape.context)


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


def _must_exist(place: Place, path: str) -> str:
    """The error that terraform prints for a missing file ends with the file's name: it carries the next command."""
    missing = f'format("%s: it is missing; run: blackstart --cluster {place.cluster} recover", {path})'
    return f"${{fileexists({path}) ? {path} : file({missing})}}"
