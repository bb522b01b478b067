"""Where each value of a cluster's configuration comes from: its own file, the shared defaults, or built in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.config.load import DEFAULTS, holds, line_of, load, read_yaml


@dataclass(frozen=True, slots=True)
class Value:
    """One setting: its dotted path, its value, `source` as file:line or `built in`."""

    path: str
    value: Any
    source: str


def provenance(root: Path, name: str) -> list[Value]:
    """Every value of the merged configuration, with its source. Raises ConfigError as `load` does."""
    merged = load(root, name).model_dump(by_alias=True)
    files = [(f"clusters/{name}.yaml", root / "clusters" / f"{name}.yaml"), (f"clusters/{DEFAULTS}", _defaults(root))]
    read = [(shown, read_yaml(path)) for shown, path in files if path.is_file()]
    return [Value(".".join(where), value, _source(read, where)) for where, value in _leaves(merged, ())]


def _defaults(root: Path) -> Path:
    return root / "clusters" / DEFAULTS


def _source(read: list[tuple[str, dict[str, Any]]], where: tuple[str, ...]) -> str:
    for shown, data in read:
        if holds(data, where):
            return f"{shown}:{line_of(data, where)}"
    return "built in"


def _leaves(data: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in data.items():
        where = (*above, str(key))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, where)
        else:
            yield where, value
