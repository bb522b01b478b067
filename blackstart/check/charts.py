"""Gathers the charts of the layers: where each is, whether it renders, which kinds it defines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.check.evidence import Chart, at
from blackstart.errors import CommandFailed, MissingTool
from blackstart.layers import SOURCE, Layer, Wiring
from blackstart.tools import helm
from blackstart.tools.manifests import Document, Object, Place, group_of, mapping, names_of, split

HELM_GROUP = "helm.toolkit.fluxcd.io"
REACH_SECONDS = 3.0
ANSWERS = 500


@dataclass(frozen=True, slots=True)
class Look:
    """Where to look: the exported commit, its documents, and whether the network may be asked."""

    export: Path
    documents: tuple[Document, ...]
    online: bool


def gather(wiring: Wiring, look: Look, pool: Executor) -> tuple[Chart, ...]:
    """Every chart that a HelmRelease of a layer asks for."""
    places = {(doc.kind, doc.name): doc.place for doc in look.documents}
    urls = dict(_sources(wiring))
    jobs = [
        (layer, obj, places.get(("HelmRelease", names_of(obj).name), at(layer)))
        for layer in wiring.layers
        for obj in (wiring.built[layer.name].objects if layer.name in wiring.built else ())
        if names_of(obj).kind == "HelmRelease" and group_of(obj) == HELM_GROUP
    ]
    return tuple(pool.map(lambda job: _chart(*job, look=look, urls=urls), jobs))


def _chart(layer: Layer, release: Object, place: Place, *, look: Look, urls: Mapping[str, str]) -> Chart:
    spec, name = mapping(release.get("spec")), names_of(release).name
    wanted = mapping(mapping(spec.get("chart")).get("spec"))
    ref = mapping(wanted.get("sourceRef") or spec.get("chartRef"))
    kind, source = str(ref.get("kind", "")), str(ref.get("name", ""))
    chart = Chart(layer.name, name, place, kind, source)
    if (kind, source) == ("GitRepository", SOURCE):
        where = str(wanted.get("chart", "")).removeprefix("./").strip("/")
        return _render(replace(chart, where=where), release, look.export)
    if kind == "GitRepository":
        return replace(chart, kind="another Git repository")
    if f"{kind}/{source}" not in urls:
        return replace(chart, exists=False)
    url = urls[f"{kind}/{source}"]
    problem = _unreachable(url) if look.online else ""
    return replace(chart, where=url, exists=not problem, problem=problem)


def _render(chart: Chart, release: Object, export: Path) -> Chart:
    folder = export / chart.where
    if not (folder / "Chart.yaml").is_file():
        return replace(chart, exists=False)
    spec, names = mapping(release.get("spec")), names_of(release)
    namespace = str(spec.get("targetNamespace") or names.namespace or "default")
    unsure = bool(spec.get("valuesFrom"))  # a Secret's values are known in the cluster alone
    try:
        text = helm.template(names.name, namespace, folder, mapping(spec.get("values")))
    except MissingTool:  # a finding of its own
        return chart
    except CommandFailed as error:
        problem = "" if unsure else _reason(error, export)
        return replace(chart, problem=problem)
    return replace(chart, crds=frozenset(_defined(text)))


def _reason(error: CommandFailed, export: Path) -> str:
    lines = error.tail.replace(str(export) + "/", "").splitlines()
    told = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (told or lines or ["helm gave no reason"])[0]


def _defined(text: str) -> Iterator[tuple[str, str]]:
    for doc in split(text, "rendered"):
        if doc.kind == "CustomResourceDefinition":
            spec = mapping(mapping(_parsed(doc.text)).get("spec"))
            yield str(spec.get("group", "")), str(mapping(spec.get("names")).get("kind", ""))


def _parsed(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return None


def _sources(wiring: Wiring) -> Iterator[tuple[str, str]]:
    for built in (wiring.root, *wiring.built.values()):
        for obj in built.objects:
            names = names_of(obj)
            if names.kind in ("HelmRepository", "OCIRepository", "HelmChart", "Bucket"):
                yield f"{names.kind}/{names.name}", str(mapping(obj.get("spec")).get("url", ""))


def _unreachable(url: str) -> str:
    """Why nothing answers there, blank when something does. A registry that asks for a login answers."""
    import httpx  # brings a program of its own along, which costs a tenth of a second

    scheme, _, rest = url.partition("://")
    asked = f"https://{rest.partition('/')[0]}/v2/" if scheme == "oci" else f"{url.rstrip('/')}/index.yaml"
    if scheme not in ("oci", "http", "https"):
        return ""
    try:
        status = httpx.head(asked, timeout=REACH_SECONDS, follow_redirects=True).status_code
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    wrong = status >= ANSWERS or (scheme != "oci" and status >= 400)
    return f"it answers {status}" if wrong else ""
