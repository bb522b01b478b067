"""Reads and validates cluster files: every problem at once, with file and line."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from blackstart.config.model import NAME, ClusterConfig
from blackstart.errors import ConfigError

DEFAULTS = "_defaults.yaml"
PROVIDERS = ("embedded", "kind", "k3s", "existing")
FALLBACK = "BLACKSTART_GIT_FALLBACK"
"""Set by `recover`, for itself and for the `main.py` that it runs: the source of the cluster file is lost."""


def names(root: Path) -> list[str]:
    """The clusters of a repository: each `clusters/*.yaml` but those that begin with `_` (issue 8)."""
    found = (root / "clusters").glob("*.yaml")
    return sorted(path.stem for path in found if not path.name.startswith("_"))


def load(root: Path, name: str) -> ClusterConfig:
    """The configuration of cluster `name` in the repository `root`, over `clusters/_defaults.yaml`.

    Raises ConfigError with every problem, each with file and line.
    """
    path = root / "clusters" / f"{name}.yaml"
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"{name!r} is no name for a cluster", hint=f"small letters, digits, hyphens: {NAME}")
    if not path.is_file():
        known = names(root)
        new = f"blackstart init --name {name}"
        raise ConfigError(
            f"no cluster file clusters/{name}.yaml (clusters: {', '.join(known) or 'none yet'})",
            hint=f"name one that is there: --cluster {known[0]}; or make it: {new}" if known else new,
        )
    own = read_yaml(path)
    defaults_path = root / "clusters" / DEFAULTS
    defaults = read_yaml(defaults_path) if defaults_path.is_file() else {}
    try:
        found = ClusterConfig.model_validate(merge(defaults, own))
    except ValidationError as error:
        shown = f"clusters/{name}.yaml"
        files = [(shown, own), (f"clusters/{DEFAULTS}", defaults)]
        problems = [_problem(files, detail) for detail in error.errors()]
        raise ConfigError("\n".join(problems), hint=f"edit {shown}; its shape: blackstart schema") from None
    return _by_fallback(found) if os.environ.get(FALLBACK) and found.git.fallback_url else found


def _by_fallback(config: ClusterConfig) -> ClusterConfig:
    """As written, but Flux reads from `git.fallback_url`, with the credentials of that place."""
    git = config.git.model_copy(update={"url": config.git.fallback_url, "auth": config.git.fallback_auth})
    return config.model_copy(update={"git": git})


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping that knows its lines. Raises ConfigError with file and line."""
    shown = f"{path.parent.name}/{path.name}"
    try:
        data = YAML(typ="rt").load(path.read_text())
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{shown}:{line}: not YAML: {error.problem}", hint=f"edit {shown}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown}:1: not YAML: {error}", hint=f"edit {shown}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{shown}:1: not a mapping of keys", hint="its shape: blackstart schema")
    return data


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid upon `under`, mapping by mapping; lists and values are replaced whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def line_of(data: Any, where: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest part of `where` that stands in the file."""
    line = 1
    for key in where:
        marks = getattr(data, "lc", None)
        try:
            if marks is not None:
                line = (marks.key(key) if isinstance(data, dict) else marks.item(key))[0] + 1
            data = data[key]
        except (KeyError, IndexError, TypeError):
            continue
    return line


def holds(data: Any, where: Sequence[int | str]) -> bool:
    """Whether `where` stands in the file."""
    for key in where:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _problem(files: Sequence[tuple[str, Any]], detail: Any) -> str:
    where = detail["loc"]
    place = [part for part in where if part not in PROVIDERS]
    dotted = ".".join(str(part) for part in place)
    shown, data = next((one for one in files if holds(one[1], place)), files[0])
    text = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        text = f"unknown key{_nearest(where)}"
    elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        dotted, text = f"{dotted}.provider", _provider(detail["ctx"].get("tag", ""))
    return f"{shown}:{line_of(data, where)}: {dotted or 'file'}: {text}"


def _provider(given: str) -> str:
    close = difflib.get_close_matches(given, PROVIDERS, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]}?" if close else ""
    what = f"no provider {given}{guess}" if given else "it is missing"
    return f"{what} (there are {', '.join(PROVIDERS)})"


def _nearest(where: tuple[int | str, ...]) -> str:
    *parents, last = where
    known = sorted({field for model in _sections(ClusterConfig) for field in model.model_fields})
    here = _section_at(tuple(str(part) for part in parents))
    candidates = sorted(here.model_fields) if here else known
    close = difflib.get_close_matches(str(last), candidates, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(candidates)}"


def _section_at(parents: tuple[str, ...]) -> type[BaseModel] | None:
    for model in _sections(ClusterConfig):
        if parents and model.__name__.lower() in (parents[-1].lower(), "".join(parents[-2:]).lower()):
            return model
    return None if parents else ClusterConfig


def _sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            yield from _sections(inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)
