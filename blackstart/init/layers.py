"""The wiring of a new cluster, one Kustomization a layer; and three small layers for a repository that has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WIRING = "gitops/flux/clusters/{}"
CHARTS = "gitops/flux/charts"
KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
{depends}  interval: 10m
  retryInterval: 1m
  timeout: {timeout}
  sourceRef:
    kind: GitRepository
    name: flux-system
  path: ./{path}
{components}  prune: true
  wait: true
  decryption:
    provider: sops
    secretRef:
      name: sops-age
  postBuild:
    substituteFrom:
      - kind: ConfigMap
        name: cluster-settings
"""
DEPENDS = "  dependsOn:\n    - name: {}\n"
COMPONENTS = "  components:\n    - {} # bundled, upstream or mirror: where the charts come from\n"
RESOURCES = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - {}\n"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that `init` wires: its folder, and where its charts' component lies as seen from it (blank: none)."""

    name: str
    path: str
    charts: str
    first: str
    manifest: str


LAYERS = (
    Layer(
        "controllers",
        "gitops/flux/infrastructure/controllers",
        "../../charts/${charts}",
        "namespace.yaml",
        "# First what brings CRDs and webhooks: HelmReleases of the network, certificates, storage.\n"
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: platform\n",
    ),
    Layer(
        "certs",
        "gitops/flux/infrastructure/certs",
        "",
        "site.yaml",
        "# Then what uses those CRDs: issuers, certificates, address pools. Settings come as variables.\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: site\n  namespace: platform\n"
        "data:\n  domain: ${domain}\n  ip_pool: ${ip_pool}\n  storage_class: ${storage_class}\n",
    ),
    Layer(
        "apps",
        "gitops/flux/apps",
        "../charts/${charts}",
        "namespace.yaml",
        "# Last the applications; their Secrets lie beside them as NAME.sops.yaml, made by: sops encrypt --in-place\n"
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: apps\n",
    ),
)


def present(root: Path) -> tuple[Layer, ...]:
    """Those of `LAYERS` that the repository has."""
    return tuple(layer for layer in LAYERS if (root / layer.path).is_dir())


def layer_files() -> dict[str, str]:
    """The three small layers, by file: each builds, and needs what the one before it makes."""
    found = {}
    for layer in LAYERS:
        found[f"{layer.path}/kustomization.yaml"] = RESOURCES.format(layer.first)
        found[f"{layer.path}/{layer.first}"] = layer.manifest
    return found


def wiring_files(root: Path, folder: str, layers: tuple[Layer, ...], *, simulated: bool) -> dict[str, str]:
    """The Kustomizations in `folder`, each after the one before it; real pods get more time than `simulated` ones."""
    found, before = {}, ""
    for layer in layers:
        charts = layer.charts if (root / CHARTS).is_dir() else ""
        found[f"{folder}/{layer.name}.yaml"] = KUSTOMIZATION.format(
            name=layer.name,
            path=layer.path,
            depends=DEPENDS.format(before) if before else "",
            components=COMPONENTS.format(charts) if charts else "",
            timeout="5m" if simulated else "30m",
        )
        before = layer.name
    return found
