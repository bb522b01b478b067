"""Which layers a commit has, and what each becomes before Flux applies it.

Layers are discovered from the Flux Kustomizations in `git.path` (design, section 1), never listed a second time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from blackstart import toolchain
from blackstart.config import ClusterConfig
from blackstart.errors import CommandFailed, ConfigError
from blackstart.tools.manifests import Object, Place, documents, group_of, items, mapping, names_of
from blackstart.tools.process import Command, run

GROUP = "kustomize.toolkit.fluxcd.io"
SETTINGS = "cluster-settings"
SOURCE = "flux-system"
UNKNOWN_VALUE = "known-in-the-cluster"
BUILD_SECONDS = 60.0
PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Layer:
    """A Flux Kustomization: `substitutes` are what its postBuild reads (`ConfigMap/cluster-settings`), `parent` the
    layer that makes it (blank: the root), `file` and `line` where it stands in Git, `spec` all as it is written."""

    name: str
    path: str
    depends_on: tuple[str, ...] = ()
    decrypts: bool = False
    substitutes: tuple[str, ...] = ()
    wait: bool = False
    suspended: bool = False
    health_checks: tuple[str, ...] = ()
    parent: str = ""
    file: str = ""
    line: int = 1
    namespace: str = "flux-system"
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Built:
    """What build-layers made of one layer; `missing` are variables that nothing provides."""

    objects: tuple[Object, ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The layers in the order in which Flux can apply them, and what each becomes, by name.

    `root` is what `git.path` itself becomes (chart flux-sync: its variables are those of `cluster-settings`).
    """

    layers: tuple[Layer, ...]
    built: Mapping[str, Built]
    root: Built


@dataclass(frozen=True, slots=True)
class Exported:
    """A commit as Flux sees it (`Git.export`): the folder, the paths that are left out of it, what it wires."""

    folder: Path
    left_out: frozenset[str]
    wiring: Wiring


def discover(export: Path, config: ClusterConfig) -> Wiring:
    """The wiring of an exported commit (`Git.export`).

    Raises ConfigError when `git.path` does not build or holds no layer.
    """
    found = wiring(export, config)
    if not found.layers:
        raise ConfigError(f"{config.git.path} holds no Flux Kustomization", hint="blackstart check")
    return found


def wiring(export: Path, config: ClusterConfig) -> Wiring:
    """Build `git.path`, then every layer found in it, then those found in layers. Raises ConfigError when `git.path`
    itself does not build."""
    path, settings = config.git.path, config.cluster_settings
    spec = {"postBuild": {"substitute": settings}}
    root = build(export, [Layer(SOURCE, path, spec=spec)], {})[SOURCE]
    if root.error:
        raise ConfigError(f"{path} does not build: {root.error}", hint=f"kustomize build {path} shows the same")
    places = {doc.name: doc.place for doc in documents(export) if doc.kind == "Kustomization"}
    places |= {doc.name: doc.place for doc in documents(export, path) if doc.kind == "Kustomization"}
    layers: dict[str, Layer] = {}
    built: dict[str, Built] = {}
    fresh = _layers_in({"": root}, places, path)
    while fresh:
        layers.update(fresh)
        provided = _provided([root, *built.values()], settings)
        made = build(export, [layer for layer in fresh.values() if is_ours(layer)], provided)
        built.update(made)
        inner = _layers_in(made, places, path)
        fresh = {name: layer for name, layer in inner.items() if name not in layers}
    return Wiring(in_order(layers.values()), built, root)


def build(export: Path, layers: Sequence[Layer], provided: Mapping[str, Mapping[str, str]]) -> dict[str, Built]:
    """Each layer as kustomize-controller builds it, by name; `provided` are the data of `Kind/name` sources.

    One process a layer, side by side: YAML that makes kustomize crash spoils no other layer.
    """
    with ThreadPoolExecutor(PROCESSES) as pool:
        made = pool.map(lambda layer: _build(export, _request(layer, provided)), layers)
        return {layer.name: built for layer, built in zip(layers, made, strict=True)}


def in_order(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Dependencies first, else by name; layers of a cycle stay in the order of their names (`check` reports it)."""
    named = {layer.name: layer for layer in sorted(layers, key=lambda layer: layer.name)}
    graph = {name: [other for other in layer.depends_on if other in named] for name, layer in named.items()}
    try:
        return tuple(named[name] for name in TopologicalSorter(graph).static_order())
    except CycleError:
        return tuple(named.values())


def is_ours(layer: Layer) -> bool:
    """Whether the layer is read from the repository that is deployed (chart flux-sync names it)."""
    source = mapping(layer.spec.get("sourceRef"))
    return (source.get("kind", "GitRepository"), source.get("name", SOURCE)) == ("GitRepository", SOURCE)


def _layers_in(built: Mapping[str, Built], places: Mapping[str, Place], path: str) -> dict[str, Layer]:
    found = [
        _layer(obj, parent, places.get(names_of(obj).name, Place(path, 1)))
        for parent, one in built.items()
        for obj in one.objects
        if names_of(obj).kind == "Kustomization" and group_of(obj) == GROUP and names_of(obj).name != SOURCE  # the root
    ]
    return {layer.name: layer for layer in found}


def _layer(obj: Object, parent: str, place: Place) -> Layer:
    meta, spec = names_of(obj), mapping(obj.get("spec"))
    sources = items(mapping(spec.get("postBuild")).get("substituteFrom"))
    return Layer(
        name=meta.name,
        path=str(spec.get("path") or ".").removeprefix("./").strip("/") or ".",
        depends_on=tuple(str(other.get("name")) for other in items(spec.get("dependsOn"))),
        decrypts=mapping(spec.get("decryption")).get("provider") == "sops",
        substitutes=tuple(f"{one.get('kind')}/{one.get('name')}" for one in sources),
        wait=bool(spec.get("wait", False)),
        suspended=bool(spec.get("suspend", False)),
        health_checks=tuple(f"{one.get('kind')}/{one.get('name')}" for one in items(spec.get("healthChecks"))),
        parent=parent,
        file=place.file,
        line=place.line,
        namespace=meta.namespace or "flux-system",
        spec=spec,
    )


def _request(layer: Layer, provided: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {"name": layer.name, "path": layer.path, "spec": layer.spec, "substitute": _substitute(layer, provided)}


def _substitute(layer: Layer, provided: Mapping[str, Mapping[str, str]]) -> dict[str, str] | None:
    """What postBuild comes to: later sources win, `substitute` wins over all (kustomize-controller)."""
    post = layer.spec.get("postBuild")
    if not isinstance(post, Mapping):
        return None
    values: dict[str, str] = {}
    for source in layer.substitutes:
        values.update(provided.get(source, {}))
    inline = mapping(post.get("substitute"))
    return {**values, **{str(name): str(value) for name, value in inline.items()}}


def _provided(built: Iterable[Built], settings: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """ConfigMaps and Secrets in Git that a postBuild may read; of Secrets only the names are known here."""
    sources: dict[str, Mapping[str, str]] = {f"ConfigMap/{SETTINGS}": dict(settings)}
    for obj in (obj for one in built for obj in one.objects):
        if obj.get("kind") in ("ConfigMap", "Secret"):
            data = {**mapping(obj.get("data")), **mapping(obj.get("stringData"))}
            hidden = obj["kind"] == "Secret"
            shown = {str(name): UNKNOWN_VALUE if hidden else str(value) for name, value in data.items()}
            sources[f"{obj['kind']}/{names_of(obj).name}"] = shown
    return sources


def _build(export: Path, asked: Mapping[str, Any]) -> Built:
    stdin = json.dumps({"root": str(export), "layers": [asked]})
    try:
        done = run(Command((str(toolchain.path("build-layers")),), stdin=stdin, timeout=BUILD_SECONDS))
    except CommandFailed as error:
        return Built(error=f"kustomize gives up on it (exit code {error.code}): YAML that refers to itself?")
    (answer,) = json.loads(done.stdout)["layers"]
    missing = sorted(set(answer["variables"]) - set(asked["substitute"] or ()))
    return Built(tuple(answer["objects"]), tuple(missing), answer["error"] or "")
