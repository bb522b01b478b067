"""What the layers apply: definitions before their resources, charts that are there and render."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.check.evidence import Chart, Evidence, at
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.layers import Layer
from blackstart.tools.manifests import Object, group_of, mapping, names_of

Kind = tuple[str, str]


def definitions(seen: Evidence) -> Iterator[Finding]:
    """A resource comes in a layer after the one that defines its kind: Flux asks the API before it applies."""
    makers = {layer.name: _by_charts(seen, layer) | set(_by_manifests(seen, layer)) for layer in seen.layers}
    for layer in seen.layers:
        before = {kind for above in seen.above(layer) for kind in makers[above.name]}
        told: set[Kind] = set()
        for obj in seen.built(layer).objects:
            kind = (group_of(obj), names_of(obj).kind)
            if kind not in before and kind not in told:
                told.add(kind)
                yield from _undefined(seen, layer, obj, makers)


def charts(seen: Evidence) -> Iterator[Finding]:
    """Each chart is where its HelmRelease says, and renders with the release's values."""
    for chart in seen.charts:
        if not chart.exists:
            yield _absent(chart)
        elif chart.problem:
            yield found(
                "chart-does-not-render",
                chart.place,
                f"{chart.release}: chart {chart.where} does not render: {chart.problem}",
                f"helm template {chart.release} {chart.where}",
            )


def _undefined(seen: Evidence, layer: Layer, obj: Object, makers: dict[str, set[Kind]]) -> Iterator[Finding]:
    names = names_of(obj)
    kind = (group_of(obj), names.kind)
    place = seen.place(names.kind, names.name, at(layer))
    if kind in _by_charts(seen, layer):
        yield found(
            "crd-beside-resource",
            place,
            f"{names.kind}/{names.name} is in layer {layer.name} together with the chart that defines its kind",
            "move it to a layer that depends on this one",
        )
    elif kind in _by_manifests(seen, layer):
        yield pointed_out(
            "crd-beside-resource",
            place,
            f"{names.kind}/{names.name} is in layer {layer.name} together with the definition of its kind",
            "move it to a layer that depends on this one: pruning the definition would delete it",
        )
    else:
        maker = next((name for name, kinds in makers.items() if kind in kinds), None)
        if maker:
            yield found(
                "depends-on-missing",
                place,
                f"{names.kind}/{names.name} in layer {layer.name} needs layer {maker}, which it does not wait for",
                f"add {maker} to dependsOn of {layer.name}",
            )


def _by_charts(seen: Evidence, layer: Layer) -> set[Kind]:
    return {kind for chart in seen.charts if chart.layer == layer.name for kind in chart.crds}


def _by_manifests(seen: Evidence, layer: Layer) -> dict[Kind, str]:
    made = (obj for obj in seen.built(layer).objects if obj.get("kind") == "CustomResourceDefinition")
    specs = ((mapping(obj.get("spec")), names_of(obj).name) for obj in made)
    return {(str(spec.get("group")), str(mapping(spec.get("names")).get("kind"))): name for spec, name in specs}


def _absent(chart: Chart) -> Finding:
    if chart.kind == "GitRepository":
        return found(
            "chart-missing",
            chart.place,
            f"{chart.release}: there is no chart in {chart.where} at this commit",
            f"git add {chart.where} && git commit, or correct chart.spec.chart",
        )
    if not chart.problem:
        return found(
            "chart-source-missing",
            chart.place,
            f"{chart.release} takes its chart from {chart.kind}/{chart.where}, which nothing makes",
            f"add that {chart.kind} to Git",
        )
    return found(
        "chart-unreachable",
        chart.place,
        f"{chart.release}: {chart.where} cannot be reached: {chart.problem}",
        "check the network, or use charts: bundled",
    )


RULES = (definitions, charts)
