"""Gates look and never change: a snapshot in, `Ready | Waiting | Broken` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
Key = tuple[str, str, str]
"""kind, namespace, name"""
Snapshot = Mapping[Key, Object]
"""The objects of a cluster at one moment."""


@dataclass(frozen=True, slots=True)
class Ready:
    """As it should be; `note` says what was found."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet; `reason` says for what."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Waiting will not help; `reason` says why."""

    reason: str


Outcome = Ready | Waiting | Broken
Gate = Callable[[Snapshot], Outcome]


def key_of(kind: str, thing: Object) -> Key:
    """Where an object stands in a snapshot."""
    meta = thing["metadata"]
    return (kind, str(meta.get("namespace", "")), str(meta["name"]))


def condition(thing: Object, name: str) -> Mapping[str, str]:
    """A condition of an object's status, or an empty mapping."""
    for found in thing.get("status", {}).get("conditions", ()):
        if found.get("type") == name:
            return dict(found)
    return {}


def all_of(outcomes: Mapping[str, Outcome]) -> Outcome:
    """One outcome of many: broken if any is, waiting if any is, else Ready."""
    for name, outcome in outcomes.items():
        if isinstance(outcome, Broken):
            return Broken(f"{name}: {outcome.reason}")
    for name, outcome in outcomes.items():
        if isinstance(outcome, Waiting):
            return Waiting(f"{name}: {outcome.reason}")
    return Ready()
