"""Reads a repository that Flux deploys already: where its clusters are, from which URL and branch.

Two layouts are known: that of `flux bootstrap` (`<path>/flux-system/gotk-sync.yaml`), and that of fluxcd's
flux2-kustomize-helm-example (`clusters/<name>/` with a Kustomization a layer).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.errors import ConfigError
from blackstart.keys import rules
from blackstart.layers import GROUP
from blackstart.tools.manifests import group_of, mapping, names_of

SYNC = "flux-system/gotk-sync.yaml"


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster of the repository: `path` as Flux reads it; `url` and `branch` are blank where no file names them.

    `bootstrapped` is the folder with Flux's own manifests, blank where there is none.
    """

    name: str
    path: str
    url: str = ""
    branch: str = ""
    bootstrapped: str = ""


def find(root: Path, name: str = "") -> Found:
    """The cluster `name`, or the only one that there is. Raises ConfigError: none, several, malformed YAML."""
    found = {one.name: one for one in (*_plain(root), *_bootstrapped(root))}
    known = ", ".join(sorted(found)) or "none"
    if name and name not in found:
        raise ConfigError(
            f"no cluster {name} of Flux in this repository (found: {known})",
            hint="it is looked for in clusters/NAME/ and in PATH/flux-system/gotk-sync.yaml",
        )
    if not name and len(found) != 1:
        hint = "give its name: blackstart init --adopt --name NAME" if found else "a new one: blackstart init"
        raise ConfigError(f"this repository has not exactly one cluster of Flux (found: {known})", hint=hint)
    return found[name or next(iter(found))]


def recipients(root: Path) -> tuple[str, ...]:
    """Who can decrypt according to `.sops.yaml`, in its order; nobody where there is none."""
    path = root / rules.FILE
    known = rules.rules_in(path.read_text()) if path.is_file() else []
    return tuple(dict.fromkeys(one for rule in known for one in rule.recipients))


def _bootstrapped(root: Path) -> Iterator[Found]:
    for file in sorted(root.rglob(SYNC)):
        if ".git" in file.relative_to(root).parts or ".blackstart" in file.relative_to(root).parts:
            continue
        objects = {names_of(one).kind: mapping(one.get("spec")) for one in _objects(file, root)}
        source, sync = objects.get("GitRepository", {}), objects.get("Kustomization", {})
        folder = file.parents[1]
        path = str(sync.get("path") or folder.relative_to(root)).removeprefix("./").strip("/") or "."
        name = folder.name if folder != root else "cluster"
        branch = str(mapping(source.get("ref")).get("branch") or "")
        yield Found(name, path, str(source.get("url") or ""), branch, str(file.parent.relative_to(root)))


def _plain(root: Path) -> Iterator[Found]:
    for folder in sorted(path for path in (root / "clusters").glob("*") if path.is_dir()):
        if any(_is_layer(one) for file in sorted(folder.glob("*.y*ml")) for one in _objects(file, root)):
            yield Found(folder.name, str(folder.relative_to(root)))


def _is_layer(obj: Mapping[str, Any]) -> bool:
    return names_of(obj).kind == "Kustomization" and group_of(obj) == GROUP


def _objects(file: Path, root: Path) -> list[Mapping[str, Any]]:
    try:
        return [one for one in YAML(typ="safe", pure=True).load_all(file.read_text()) if isinstance(one, Mapping)]
    except (YAMLError, UnicodeDecodeError) as error:
        shown = file.relative_to(root)
        raise ConfigError(f"{shown} is not YAML: {getattr(error, 'problem', error)}", hint=f"edit {shown}") from None
