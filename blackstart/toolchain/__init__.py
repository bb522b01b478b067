"""The outside programs: pinned in `toolchain/`, found on PATH, in wheels or in the cache (design, section 8)."""

from __future__ import annotations

from pathlib import Path

from blackstart.errors import MissingTool
from blackstart.toolchain.charts import FluxCharts, configured_versions, installed_charts, known_charts
from blackstart.toolchain.finding import Program, find, unfit
from blackstart.toolchain.installing import install
from blackstart.toolchain.pins import pins
from blackstart.toolchain.providers import Pair, lock_file, lock_registry, terraformrc

__all__ = [
    "FluxCharts",
    "Pair",
    "Program",
    "configured_versions",
    "flux_charts",
    "install",
    "listing",
    "lock_file",
    "lock_registry",
    "path",
    "terraformrc",
    "version",
]


def version(name: str) -> str:
    """The version of a program that is there, else the pinned one."""
    pin = pins()[name]
    found = find(pin)
    return found.version if found else pin.version


def path(name: str) -> Path:
    """The file of an outside program. Raises MissingTool when no fitting version is there."""
    pin = pins()[name]
    found = find(pin)
    if found is None or found.path is None:
        wanted = f" ({pin.on_path})" if pin.on_path else f" {pin.version}"
        other = unfit(pin)
        told = f"{other} does not fit{wanted}, and no other" if other else f"{name}{wanted}"
        raise MissingTool(f"{told} is {'' if other else 'not '}installed", hint="install it with: make setup")
    return found.path


def flux_charts(version: str) -> FluxCharts:
    """The two chart folders of a Flux version. Raises MissingTool when they are not installed."""
    return installed_charts(version)


def listing() -> list[Program]:
    """Every pinned program and where it is; the charts of Flux last, one entry a version."""
    programs = [find(pin) or Program(pin.name, pin.version, "missing", None) for pin in pins().values()]
    charts = [Program("flux", version, "manifests", flux_charts(version).flux.parent) for version in known_charts()]
    return programs + charts
