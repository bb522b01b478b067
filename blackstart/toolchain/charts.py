"""Two Helm charts assembled from Flux's own manifests, which the module of flux-operator carries."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config.cache import FLUX_CHARTS, FLUX_VERSION, cache, flux_chart
from blackstart.errors import ConfigError, MissingTool
from blackstart.toolchain.build import module_folder
from blackstart.toolchain.pins import FOLDER
from blackstart.toolchain.store import put, write

MODULE = "github.com/controlplaneio-fluxcd/flux-operator"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
MANIFESTS = ("rbac", "policies", *CONTROLLERS)

VALUES = """# Where the images come from: upstream's manifests leave the registry open.
registry: ghcr.io
# Arguments for a controller, after its own: {kustomize-controller: [--requeue-dependency=5s]}
extraArgs: {}
"""


@dataclass(frozen=True, slots=True)
class FluxCharts:
    """Two chart folders of one Flux version."""

    crds: Path
    flux: Path


def installed_charts(version: str) -> FluxCharts:
    """The charts of a Flux version, such as 2.9.4. Raises MissingTool when they are not in the cache."""
    charts = FluxCharts(*(flux_chart(name, version) for name in FLUX_CHARTS))
    for chart in (charts.crds, charts.flux):
        if not (chart / "Chart.yaml").is_file():
            raise MissingTool(
                f"the charts of Flux {version} are not installed",
                hint=f"blackstart toolchain install --flux {version}",
            )
    return charts


def assemble(version: str, staging: Path) -> str:
    """Make the charts of a Flux version; the same bytes every time. Returns where they came from.

    Raises ConfigError when the pinned module does not know that version.
    """
    folder = manifests(version)
    documents = [document for name in MANIFESTS for document in _documents(folder / f"{name}.yaml")]
    kinds: dict[str, list[str]] = {name: [] for name in FLUX_CHARTS}
    for document in documents:
        is_crd = "\nkind: CustomResourceDefinition\n" in f"\n{document}"
        kinds["flux-crds" if is_crd else "flux"].append(kept(document) if is_crd else configurable(document))
    for name, found in kinds.items():
        put(_chart(staging / name, name, version, found), flux_chart(name, version))
    return f"manifests of {MODULE}"


def manifests(version: str) -> Path:
    """The folder of upstream's manifests of a Flux version, or of a ConfigError that names those there are."""
    releases = module_folder(FOLDER / "flux", MODULE) / "config" / "data" / "flux"
    folder = releases / f"v{version}"
    if not folder.is_dir():
        known = sorted((path.name[1:] for path in releases.glob("v*")), key=_order)
        raise ConfigError(
            f"the toolchain does not know Flux {version}", hint=f"set flux.version to one of: {', '.join(known[-8:])}"
        )
    return folder


def configured_versions(clusters: Path) -> tuple[str, ...]:
    """Every `flux.version` of the cluster files in a folder, and the default; broken files are passed over."""
    found = {FLUX_VERSION}
    for file in sorted(clusters.glob("*.yaml")):
        try:
            said = YAML(typ="safe").load(file.read_text())
        except YAMLError:
            continue
        flux = said.get("flux") if isinstance(said, dict) else None
        found |= {str(flux["version"])} if isinstance(flux, dict) and "version" in flux else set()
    return tuple(sorted(found, key=_order))


def kept(crd: str) -> str:
    """A CRD that outlives its release: with it all Kustomizations would go, and with them what they applied."""
    mark = "    helm.sh/resource-policy: keep\n"
    escaped = escape(crd)
    if re.search(r"^  annotations:$", escaped, re.MULTILINE):
        return re.sub(r"^  annotations:\n", f"  annotations:\n{mark}", escaped, count=1, flags=re.MULTILINE)
    return re.sub(r"^metadata:\n", f"metadata:\n  annotations:\n{mark}", escaped, count=1, flags=re.MULTILINE)


def configurable(document: str) -> str:
    """An object of Flux with its registry, its namespace and more arguments as values of the chart."""
    text = escape(document)
    text = re.sub(r"^(\s+image: )fluxcd/", r"\1{{ .Values.registry }}/fluxcd/", text, flags=re.MULTILINE)
    text = re.sub(r"^(\s+namespace: )flux-system$", r"\1{{ .Release.Namespace }}", text, flags=re.MULTILINE)
    name = re.search(r"^  name: (\S+)$", text, re.MULTILINE)
    if "\nkind: Deployment\n" not in text or not name:
        return text
    return re.sub(r"^      - args:\n(?:        - .*\n)+", rf"\g<0>{_more(name[1])}", text, count=1, flags=re.MULTILINE)


def _more(controller: str) -> str:
    """The template of further arguments, at the depth of a Deployment's."""
    each = f'{{{{- range index .Values.extraArgs "{controller}" }}}}'
    return f"        {each}\n        - {{{{ . | quote }}}}\n        {{{{- end }}}}\n"


def escape(text: str) -> str:
    """Braces that Helm is to leave as they are."""
    return re.sub(r"\{\{|\}\}", lambda braces: f'{{{{ "{braces[0]}" }}}}', text)


def _documents(file: Path) -> list[str]:
    parts = re.split(r"^---\s*$", file.read_text(), flags=re.MULTILINE)
    return [part.strip("\n") + "\n" for part in parts if part.strip()]


def _chart(folder: Path, name: str, version: str, documents: list[str]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    title = "The CRDs of Flux" if name == "flux-crds" else "The controllers of Flux"
    write(
        f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: v{version}\ndescription: {title}\n",
        folder / "Chart.yaml",
    )
    write("{}\n" if name == "flux-crds" else VALUES, folder / "values.yaml")
    for document in documents:
        write(document, folder / "templates" / _file_name(document))
    return folder


def _file_name(document: str) -> str:
    kind = re.search(r"^kind: (\S+)", document, re.MULTILINE)
    name = re.search(r"^  name: (\S+)", document, re.MULTILINE)
    return f"{kind[1] if kind else 'object'}-{name[1] if name else 'unnamed'}.yaml".lower()


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def known_charts() -> list[str]:
    """The Flux versions whose charts are in the cache."""
    found = (path.name for path in (cache() / "flux").glob("*") if (path / "flux" / "Chart.yaml").is_file())
    return sorted(found, key=_order)
