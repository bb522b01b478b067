"""What is pinned: `toolchain/pins.toml` says how each outside program is had, the go.mod files say its version."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from blackstart.errors import MissingTool

FOLDER = Path(__file__).parents[2] / "toolchain"
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python package that holds a program: its name in the registry, its module, the file inside."""

    package: str
    module: str
    file: str


@dataclass(frozen=True, slots=True)
class Download:
    """An official release: `member` is the file inside the archive, empty when the release is the file."""

    url: str
    sha256: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """A Go build in the folder `go`; `seconds` is what it takes on 2 cores."""

    go: Path
    package: str
    ldflags: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Pin:
    """One outside program; `on_path` are the versions that are taken from PATH, empty: none."""

    name: str
    version: str
    on_path: str
    probe: tuple[str, ...]
    wheel: Wheel | None
    requirements: Path | None
    build: Build | None
    download: Download | None
    mirror: str
    npm: Path | None
    optional: bool


def this_platform() -> str:
    """The platform in the words of Go and Terraform, such as `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}_{MACHINES.get(machine, machine)}"


@cache
def pins() -> Mapping[str, Pin]:
    """Every pin by name, in the order in which they are installed."""
    text = (FOLDER / "pins.toml").read_text()
    return {name: _pin(name, said) for name, said in tomllib.loads(text)["programs"].items()}


@cache
def required(go: Path, module: str) -> str:
    """The version, without its `v`, that the go.mod in the folder `go` requires of `module`."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} v(\S+)", (go / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise MissingTool(f"{go}/go.mod does not require {module}", hint="restore it with: git checkout toolchain")
    return found[1].removesuffix("+incompatible")


def _pin(name: str, said: Mapping[str, object]) -> Pin:
    wheel = Wheel(**_strings(said["wheel"])) if "wheel" in said else None
    requirements = FOLDER / str(said["requirements"]) if "requirements" in said else None
    version = _version(said, wheel, requirements)
    downloads = said.get("download", {})
    own = downloads.get(this_platform()) if isinstance(downloads, dict) else None
    probe = said.get("probe", ["--version"])
    return Pin(
        name=name,
        version=version,
        on_path=str(said.get("path", "")),
        probe=tuple(map(str, probe)) if isinstance(probe, list) else (),
        wheel=wheel,
        requirements=requirements,
        build=_build(said, version) if "go" in said else None,
        download=Download(**_strings(own)) if own else None,
        mirror=str(said.get("mirror", "")),
        npm=FOLDER / str(said["npm"]) if "npm" in said else None,
        optional=bool(said.get("optional")),
    )


def _build(said: Mapping[str, object], version: str) -> Build:
    major, minor, *_ = [*version.split("."), ""]
    ldflags = str(said.get("ldflags", "")).format(version=version, major=major, minor=minor)
    package = str(said.get("package") or said["module"])
    return Build(FOLDER / str(said["go"]), package, f"-s -w {ldflags}".strip(), int(str(said["seconds"])))


def _version(said: Mapping[str, object], wheel: Wheel | None, requirements: Path | None) -> str:
    if "module" in said:
        return required(FOLDER / str(said["go"]), str(said["module"]))
    if wheel:
        return _installed(wheel.package)
    if requirements:
        found = re.search(r"^[\w-]+==(\S+)", requirements.read_text(), re.MULTILINE)
        return found[1] if found else ""
    if "npm" in said:
        wanted = json.loads((FOLDER / str(said["npm"]) / "package.json").read_text())["dependencies"]
        return str(next(iter(wanted.values())))
    return _digest(FOLDER / str(said["sources"]), FOLDER / str(said["go"]) / "go.sum")


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _digest(sources: Path, *more: Path) -> str:
    """Our own program has no release: its version is its source."""
    digest = hashlib.sha256()
    for file in [*sorted(sources.glob("*.go")), *more]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _strings(table: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in table.items()} if isinstance(table, dict) else {}
