"""Flux wiring: every layer builds, and each comes after what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from blackstart.check.evidence import Evidence, at
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.layers import SETTINGS, SOURCE, Layer, is_ours
from blackstart.tools.manifests import Object, Place, group_of, items, mapping, names_of

KEY_SECRET = "sops-age"
ADVISED = {
    "timeout": "Flux gives up after its interval, whatever that is",
    "retryInterval": "after a failure Flux tries again only at its interval",
    "prune": "what is deleted in Git stays in the cluster",
    "wait": "the layers after it start before it is Ready",
}


def builds(seen: Evidence) -> Iterator[Finding]:
    """`git.path` and every layer build with the controller's own kustomize."""
    if seen.wiring_problem:
        problem = seen.wiring_problem
        yield found("wiring-does-not-build", seen.setting("git", "path"), problem.message, problem.hint)
    elif seen.wiring is not None and not seen.layers:
        yield found(
            "no-layers",
            seen.setting("git", "path"),
            f"{seen.config.git.path} has no Flux Kustomization at {seen.commit.short}: nothing would be deployed",
            "blackstart init shows what a wiring looks like",
        )
    for layer in seen.layers:
        yield from _layer_builds(seen, layer)


def order(seen: Evidence) -> Iterator[Finding]:
    """`dependsOn` names layers that exist, without a cycle."""
    named = {layer.name: layer for layer in seen.layers}
    for layer in seen.layers:
        for other in layer.depends_on:
            if other not in named:
                yield found(
                    "depends-on-unknown",
                    at(layer),
                    f"{layer.name} depends on {other}, which no Kustomization is called: it would wait for ever",
                    f"correct dependsOn; known: {', '.join(sorted(named))}",
                )
    try:
        TopologicalSorter({layer.name: layer.depends_on for layer in seen.layers}).prepare()
    except CycleError as error:
        names = list(reversed(error.args[1]))
        place = at(named[names[0]])
        yield found(
            "depends-on-cycle",
            place,
            f"these layers wait for each other: {' → '.join(names)}",
            "take one dependsOn out",
        )


def decryption(seen: Evidence) -> Iterator[Finding]:
    """A layer with SOPS files says so, and uses the Secret that layer 0 makes."""
    for layer in seen.layers:
        secret = next((obj for obj in seen.built(layer).objects if "sops" in obj), None)
        if secret is not None and not layer.decrypts:
            name = str(mapping(secret.get("metadata")).get("name", ""))
            yield found(
                "layer-without-decryption",
                at(layer),
                f"{layer.name} holds the encrypted Secret {name} without decryption: Flux would apply cipher text",
                "add to its spec: decryption: {provider: sops, secretRef: {name: sops-age}}",
            )
        asked = str(mapping(mapping(layer.spec.get("decryption")).get("secretRef")).get("name", KEY_SECRET))
        if layer.decrypts and asked != KEY_SECRET:
            yield found(
                "key-secret-name",
                at(layer),
                f"{layer.name} takes its key from Secret {asked}; blackstart puts it into {KEY_SECRET}",
                f"decryption.secretRef.name: {KEY_SECRET}",
            )


def health(seen: Evidence) -> Iterator[Finding]:
    """What Flux would not look at, and what it should be told."""
    for layer in seen.layers:
        if layer.wait and layer.health_checks:
            yield pointed_out(
                "health-checks-ignored",
                at(layer),
                f"{layer.name}: Flux ignores healthChecks where wait is true",
                "take healthChecks out: wait covers everything in the layer",
            )
        if layer.suspended:
            yield found(
                "layer-suspended",
                at(layer),
                f"{layer.name} is suspended in Git: it would never become Ready",
                "take suspend: true out",
            )
        yield from _advice(layer)


def variables(seen: Evidence) -> Iterator[Finding]:
    """Every variable of a layer is provided; Flux would put nothing in its place, silently."""
    for layer in seen.layers:
        if "postBuild" not in layer.spec:
            continue
        for name in seen.built(layer).missing:
            yield found(
                "variable-missing",
                _where_used(seen, layer, name),
                f"{layer.name} uses ${{{name}}}, which neither {SETTINGS} nor its postBuild provides",
                f"add {name} to settings: in clusters/{seen.cluster}.yaml",
            )


def sources_of_variables(seen: Evidence) -> Iterator[Finding]:
    """What postBuild reads exists by then: `cluster-settings`, or something in Git."""
    made = {f"ConfigMap/{SETTINGS}"}
    if seen.wiring:
        every = (seen.wiring.root, *seen.wiring.built.values())
        objects = (mapping(obj) for one in every for obj in one.objects)
        made |= {f"{obj.get('kind')}/{mapping(obj.get('metadata')).get('name')}" for obj in objects}
    for layer in seen.layers:
        asked = items(mapping(layer.spec.get("postBuild")).get("substituteFrom"))
        needed = [f"{one.get('kind')}/{one.get('name')}" for one in asked if not one.get("optional")]
        for source in needed:
            if source not in made:
                yield found(
                    "substitute-source-missing",
                    at(layer),
                    f"{layer.name} reads variables from {source}, which nothing makes",
                    f"use ConfigMap/{SETTINGS}, or add {source} to Git",
                )


def owners(seen: Evidence) -> Iterator[Finding]:
    """Flux's source and root are made by layer 0; those that `flux bootstrap` left in Git would own them too."""
    every = (seen.wiring.root, *seen.wiring.built.values()) if seen.wiring else ()
    kinds = {names_of(obj).kind for one in every for obj in one.objects if _is_fluxs_own(obj)}
    for kind in sorted(kinds)[:1]:
        places = [doc.place for doc in seen.documents if (doc.kind, doc.name) == (kind, SOURCE)]
        yield found(
            "flux-owned-twice",
            places[0] if places else seen.setting("git", "path"),
            f"Git holds the {kind} {SOURCE}, which blackstart installs: that of `flux bootstrap` would be put over it",
            f"leave its folder out by a kustomization.yaml in {seen.config.git.path} (docs/init.md)",
        )


def _is_fluxs_own(obj: Object) -> bool:
    name = names_of(obj)
    ours = (name.name, name.namespace or SOURCE) == (SOURCE, SOURCE)
    return ours and name.kind in ("GitRepository", "Kustomization") and group_of(obj).endswith(".toolkit.fluxcd.io")


def _layer_builds(seen: Evidence, layer: Layer) -> Iterator[Finding]:
    error = seen.built(layer).error
    if not error or not is_ours(layer):
        return
    below = layer.path.rstrip("/") + "/"
    if any(path.startswith(below) for path in seen.source.hidden):
        return  # hidden-by-sourceignore tells the reason
    if not any(path.startswith(below) for path in seen.source.files):
        yield found(
            "layer-path-missing",
            at(layer),
            f"{layer.name}: {layer.path} does not exist at commit {seen.commit.short}",
            f"git add {layer.path} && git commit, or correct spec.path",
        )
        return
    yield found(
        "layer-does-not-build",
        at(layer),
        f"{layer.name} does not build: {error}",
        f"kustomize build {layer.path} shows the same",
    )


def _advice(layer: Layer) -> Iterator[Finding]:
    for name, without in ADVISED.items():
        if name not in layer.spec and not (name == "wait" and layer.health_checks):
            word = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
            yield pointed_out(
                f"layer-without-{word}",
                at(layer),
                f"{layer.name} has no {name}: {without}",
                f"add {name} to its spec",
            )


def _where_used(seen: Evidence, layer: Layer, name: str) -> Place:
    for doc in seen.documents:
        at_name = doc.text.find(f"${{{name}")
        if at_name >= 0 and doc.place.file.startswith(layer.path):
            return Place(doc.place.file, doc.first_line + doc.text.count("\n", 0, at_name))
    return at(layer)


RULES = (builds, order, owners, decryption, health, variables, sources_of_variables)
