"""Manifests as they lie in a folder: which documents there are, and on which line each begins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Object = Mapping[str, Any]

SEPARATOR = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
KIND = re.compile(r"^kind:[ \t]*[\"']?([\w.-]+)", re.MULTILINE)
NAME = re.compile(r"^metadata:[^\n]*\n(?:(?:[ #][^\n]*)?\n)*?[ ]+name:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
FLOW_NAME = re.compile(r"^metadata:[ \t]*\{[^}\n]*\bname:[ \t]*[\"']?([^\s\"',}]+)", re.MULTILINE)
HOST_KEYS = ("host", "hosts", "hostname", "hostnames", "externalHostname")
LARGEST = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A file, relative to the repository, and a line from 1."""

    file: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Names:
    """What identifies an object."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document; `place.line` is the line of its `kind`, `first_line` that of its text."""

    place: Place
    kind: str
    name: str
    first_line: int
    text: str = field(repr=False)


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` where it is a mapping, else an empty one: what is read here may be malformed."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, none where `value` is something else."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def group_of(obj: Object) -> str:
    """The API group, blank for the core group."""
    return str(obj.get("apiVersion") or "").rpartition("/")[0]


def hosts_in(node: Any, *, under_host: bool = False) -> Iterator[str]:
    """The host names that a manifest gives out: of routes, ingresses and charts' values."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from hosts_in(value, under_host=under_host or key in HOST_KEYS)
        domain = mapping(node.get("hosts")).get("domain")
        if isinstance(domain, str):
            yield f"gitlab.{domain}"  # the GitLab chart's own rule: global.hosts.domain
    elif isinstance(node, list):
        for value in node:
            yield from hosts_in(value, under_host=under_host)
    elif under_host and isinstance(node, str):
        yield node


def names_of(obj: Object) -> Names:
    """Kind, name and namespace; blank where the object is malformed."""
    meta = mapping(obj.get("metadata"))
    return Names(str(obj.get("kind") or ""), str(meta.get("name") or ""), str(meta.get("namespace") or ""))


def files(export: Path, under: str = ".") -> Iterator[str]:
    """The YAML files below a folder that are not part of a Helm chart, sorted, relative to `export`."""
    found = sorted((export / under).rglob("*.y*ml"))
    charts = {path.parent for path in found if path.name == "Chart.yaml"}
    for path in found:
        regular = path.suffix in (".yaml", ".yml") and path.is_file() and not path.is_symlink()
        if regular and charts.isdisjoint(path.parents) and path.stat().st_size <= LARGEST:
            yield str(path.relative_to(export))


def documents(export: Path, under: str = ".") -> Iterator[Document]:
    """Every YAML document that has a kind, without parsing it: broken YAML is told by the build."""
    for name in files(export, under):
        yield from split((export / name).read_text(errors="replace"), name)


def split(text: str, name: str) -> Iterator[Document]:
    """The documents of one file."""
    separators = list(SEPARATOR.finditer(text))
    starts = [0, *(match.end() for match in separators)]
    ends = [*(match.start() for match in separators), len(text)]
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        kind = KIND.search(part)
        if kind is None:
            continue
        called = NAME.search(part) or FLOW_NAME.search(part)
        line = text.count("\n", 0, start + kind.start()) + 1
        first = text.count("\n", 0, start) + 1
        yield Document(Place(name, line), kind[1], called[1] if called else "", first, part)
