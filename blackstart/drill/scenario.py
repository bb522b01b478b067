"""What a scenario is: a fault, the exit code that recovery must have, what must become of the marker."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from blackstart.drill.bed import Bed
from blackstart.errors import ConfigError

Marker = Literal["kept", "gone", "either"]


@dataclass(frozen=True, slots=True)
class Damage:
    """What a fault leaves for recovery: variables it runs with, the largest file (bytes) that it may write, and how
    to end the fault afterwards."""

    env: Mapping[str, str] | None = None
    largest_file: int = 0
    mend: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One disaster. `fault` breaks a Ready cluster (or, with `from_nothing`, makes its own beginning).

    `exit_code` is that of `recover`; where it refuses, nothing may have changed. `command` is what recovers.
    """

    name: str
    fault: Callable[[Bed, int], Damage]
    exit_code: int = 0
    marker: Marker = "kept"
    from_nothing: bool = False
    says: str = ""
    command: tuple[str, ...] = ("recover", "--yes")
    seeds: int = 1


def scenarios() -> dict[str, Scenario]:
    """All of them by name, each from its own file in `scenarios/`."""
    package = importlib.import_module("blackstart.drill.scenarios")
    files = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    found = [importlib.import_module(f"blackstart.drill.scenarios.{name}").SCENARIO for name in files]
    return {scenario.name: scenario for scenario in found}


def chosen(names: tuple[str, ...]) -> list[Scenario]:
    """The scenarios of these names; `all` means every one. Raises ConfigError for an unknown name."""
    known = scenarios()
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown:
        raise ConfigError(f"no scenario {', '.join(unknown)}", hint="blackstart drill --list")
    return list(known.values()) if "all" in names else [known[name] for name in dict.fromkeys(names)]
