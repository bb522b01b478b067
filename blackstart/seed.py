"""The CNI before Flux: read from its HelmRelease in Git, so that helm installs what Flux will take over (issue 7).

Without a network no pod of Flux starts, so somebody has to install the CNI first; read from the HelmRelease, it is
written down once. The merge of values is helm-controller's (fluxcd/helm-controller, spec v2, "Values").
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.errors import ConfigError
from blackstart.layers import SOURCE, Wiring
from blackstart.tools.helm import ChartAt
from blackstart.tools.manifests import Object, group_of, items, mapping, names_of

CNI = "cilium"
HELM_GROUP = "helm.toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Seed:
    """A release as Flux will have it: its name, its namespace, its chart, all its values."""

    release: str
    namespace: str
    chart: ChartAt
    values: Mapping[str, Any] = field(repr=False)


def seed(found: Wiring, export: Path) -> Seed | None:
    """What the HelmRelease of the CNI comes to at the exported commit; None when no layer has one.

    Raises ConfigError for what only the cluster could know: values from Secrets, charts of other sources.
    """
    objects = all_objects(found)
    release = cni(objects)
    if release is None:
        return None
    spec, names = mapping(release.get("spec")), names_of(release)
    namespace = str(spec.get("targetNamespace") or names.namespace)
    kept = str(spec.get("storageNamespace") or names.namespace)
    target = str(spec.get("targetNamespace") or "")
    name = str(spec.get("releaseName") or (f"{target}-{names.name}" if target else names.name))
    if kept != namespace:
        raise ConfigError(
            f"HelmRelease {names.name} keeps its record in {kept} and deploys to {namespace}: helm knows one namespace",
            hint="give storageNamespace and targetNamespace the same name",
        )
    return Seed(name, namespace, _chart(spec, objects, export), _values(spec, names.namespace, objects))


def all_objects(found: Wiring) -> list[Object]:
    """What the wiring and all its layers make."""
    return [obj for built in (found.root, *found.built.values()) for obj in built.objects]


def cni(objects: list[Object]) -> Object | None:
    """The HelmRelease of the CNI."""
    return next((obj for obj in objects if _is_cni(obj)), None)


def _is_cni(obj: Object) -> bool:
    return names_of(obj).kind == "HelmRelease" and group_of(obj) == HELM_GROUP and names_of(obj).name == CNI


def _chart(spec: Mapping[str, Any], objects: list[Object], export: Path) -> ChartAt:
    wanted = mapping(mapping(spec.get("chart")).get("spec"))
    source = mapping(wanted.get("sourceRef"))
    kind, name = str(source.get("kind", "")), str(source.get("name", ""))
    chart, version = str(wanted.get("chart", "")), str(wanted.get("version") or "")
    if (kind, name) == ("GitRepository", SOURCE):
        return ChartAt(str(export / chart))
    repository = next((obj for obj in objects if (names_of(obj).kind, names_of(obj).name) == (kind, name)), None)
    if kind != "HelmRepository" or repository is None:
        raise ConfigError(
            f"HelmRelease {CNI} takes its chart from {kind or 'chartRef'} {name}, which nobody can read before Flux",
            hint=f"use a HelmRepository in Git, or the GitRepository {SOURCE}",
        )
    url = str(mapping(repository.get("spec")).get("url", ""))
    if url.startswith("oci://"):
        return ChartAt(f"{url.rstrip('/')}/{chart}", version)
    return ChartAt(chart, version, url)


def _values(spec: Mapping[str, Any], namespace: str, objects: list[Object]) -> dict[str, Any]:
    """`valuesFrom` in their order, each over the ones before, `values` over all."""
    merged: dict[str, Any] = {}
    for source in items(spec.get("valuesFrom")):
        merged = _merged(merged, config_map_values(source, namespace, objects))
    return _merged(merged, mapping(spec.get("values")))


def config_map_values(source: Mapping[str, Any], namespace: str, objects: list[Object]) -> Mapping[str, Any]:
    """What one entry of `valuesFrom` gives. Raises ConfigError for a Secret, and for what is not in Git."""
    kind, name, key = str(source.get("kind")), str(source.get("name")), str(source.get("valuesKey") or "values.yaml")
    where = f"HelmRelease {CNI}: valuesFrom {kind}/{name}"
    if kind != "ConfigMap":
        raise ConfigError(
            f"{where}: the CNI is installed before the key is in the cluster, so nothing of it may come from a Secret",
            hint="put the value into spec.values or a ConfigMap, or make the Secret the chart's own reference",
        )
    if source.get("targetPath"):
        raise ConfigError(f"{where}: targetPath is not read for the seed", hint="put the value into spec.values")
    data = next(_data(objects, name, namespace), None)
    if data is None or key not in data:
        if source.get("optional"):
            return {}
        raise ConfigError(f"{where}: no such key {key} in Git", hint="add the ConfigMap to the release's layer")
    try:
        return mapping(YAML(typ="safe", pure=True).load(io.StringIO(str(data[key]))))
    except YAMLError as error:
        raise ConfigError(f"{where}: {key} is not YAML: {error}", hint="edit it") from None


def _data(objects: list[Object], name: str, namespace: str) -> Iterator[Mapping[str, Any]]:
    for obj in objects:
        names = names_of(obj)
        if (names.kind, names.name, names.namespace) == ("ConfigMap", name, namespace):
            yield mapping(obj.get("data"))


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged, everything else is replaced."""
    whole = dict(under)
    for key, value in over.items():
        below = whole.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        whole[key] = _merged(mapping(below), value) if both else value
    return whole
