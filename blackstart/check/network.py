"""Whether the CNI's seed and its HelmRelease come to the same objects: otherwise Flux changes them at the takeover.

The seed's values are merged by us; the release's by helm itself, from what helm-controller and source-controller read
(fluxcd/helm-controller, spec v2; fluxcd/source-controller, HelmChart spec v1, "valuesFiles").
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from blackstart.check.evidence import Network, Problem
from blackstart.errors import CommandFailed, ConfigError, MissingTool
from blackstart.layers import Wiring
from blackstart.seed import Seed, all_objects, cni, config_map_values, seed
from blackstart.tools import helm
from blackstart.tools.manifests import Object, items, mapping, names_of

AFTERWARDS = ("postRenderers", "commonMetadata")


def look(wiring: Wiring, export: Path) -> Network:
    """Both renderings of the CNI, compared where its chart lies in the repository."""
    objects = all_objects(wiring)
    release = cni(objects)
    if release is None:
        return Network()
    name = names_of(release).name
    try:
        wanted = seed(wiring, export)
    except ConfigError as error:
        return Network(name, problem=Problem(error.message, error.hint))
    assert wanted is not None
    spec = mapping(release.get("spec"))
    after = [field for field in AFTERWARDS if spec.get(field)]
    if after:
        return Network(name, differs=(f"spec.{after[0]}",))
    chart = Path(wanted.chart.name)
    if not (chart / "Chart.yaml").is_file():  # it has to be pulled first, which `check` does not do
        return Network(name)
    try:
        return Network(name, differs=_differing(wanted, chart, _rendered(release, chart, objects, export)))
    except (CommandFailed, MissingTool):  # findings of their own
        return Network(name)


def _differing(wanted: Seed, chart: Path, release: Mapping[str, Any]) -> tuple[str, ...]:
    """The objects that differ; what is made by chance differs from one rendering to the next, and does not count."""
    once = _by_name(helm.template(wanted.release, wanted.namespace, chart, wanted.values))
    if once == release:
        return ()
    again = _by_name(helm.template(wanted.release, wanted.namespace, chart, wanted.values))
    chance = {name for name in once if once[name] != again.get(name)}
    names = {name for name in {*once, *release} - chance if once.get(name) != release.get(name)}
    return tuple(sorted(names))


def _rendered(release: Object, chart: Path, objects: list[Object], export: Path) -> Mapping[str, Any]:
    spec, names = mapping(release.get("spec")), names_of(release)
    target = str(spec.get("targetNamespace") or "")
    called = str(spec.get("releaseName") or "-".join(filter(None, (target, names.name))))
    with tempfile.TemporaryDirectory(prefix="blackstart-release-") as folder:
        own = Path(folder) / "chart"
        shutil.copytree(chart, own)
        files = [export / str(one) for one in mapping(mapping(spec.get("chart")).get("spec")).get("valuesFiles") or ()]
        if files:  # the chart's own values are not read then, unless they are named
            shutil.copyfile(files[0], own / "values.yaml")
        for number, source in enumerate(items(spec.get("valuesFrom"))):
            under = Path(folder) / f"{number}.json"
            under.write_text(json.dumps(dict(config_map_values(source, names.namespace, objects))))
            files.append(under)
        return _by_name(helm.template(called, target or names.namespace, own, mapping(spec.get("values")), files))


def _by_name(text: str) -> dict[str, Any]:
    objects = [obj for obj in YAML(typ="safe", pure=True).load_all(text) if obj]
    found = [(names_of(obj), obj) for obj in objects]
    return {f"{names.kind} {names.namespace}/{names.name}".replace(" /", " "): obj for names, obj in found}
