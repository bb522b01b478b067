"""Where a program is now: a fitting version on PATH, a wheel, or the cache."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from blackstart.config.cache import cache as cache_folder
from blackstart.errors import BlackstartError
from blackstart.toolchain.pins import Pin, Wheel, this_platform
from blackstart.tools.process import Command, run

PROBE_SECONDS = 20.0
ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Program:
    """An outside program: `source` is PATH, wheel, how the file in the cache was made, or `missing`."""

    name: str
    version: str
    source: str
    path: Path | None


def find(pin: Pin) -> Program | None:
    """The program, when it is there; starts nothing but programs on PATH, to ask for their version."""
    return _on_path(pin) or _in_wheel(pin) or _in_cache(pin)


def place(pin: Pin) -> Path:
    """Where the file of a program lies in the cache, once it is whole."""
    if pin.mirror:
        folder = cache_folder() / "mirror" / pin.mirror / pin.version / this_platform()
        return folder / f"{pin.name}_v{pin.version}"
    folder = cache_folder() / "programs" / f"{pin.name}-{pin.version}"
    if pin.npm:
        return folder / "node_modules" / ".bin" / pin.name
    return folder / "go" / "bin" / "go" if pin.requirements else folder / pin.name


def origin(pin: Pin) -> Path:
    """The file that says how the one in the cache was made; terraform wants a mirror to hold nothing else."""
    return cache_folder() / "origins" / f"{pin.name}-{pin.version}"


def _on_path(pin: Pin) -> Program | None:
    found = shutil.which(pin.name, path=_search_path()) if pin.on_path else None
    if not found:
        return None
    version = _version_of(Path(found), pin.probe)
    if not version or version not in SpecifierSet(pin.on_path):
        return None
    return Program(pin.name, str(version), "PATH", Path(found))


def unfit(pin: Pin) -> str:
    """What PATH has of a program in a version that does not fit, and where; blank when it has none."""
    found = shutil.which(pin.name, path=_search_path()) if pin.on_path else None
    version = _version_of(Path(found), pin.probe) if found else None
    return f"{pin.name} {version} ({found})" if version else ""


def _search_path() -> str:
    """PATH without this Python's own scripts: they stand for wheels, and start a second Python each time."""
    own = Path(sys.prefix) / "bin"
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder) != own)


def _in_wheel(pin: Pin) -> Program | None:
    file = _wheel_file(pin.wheel) if pin.wheel else None
    if not file:
        return None
    if not os.access(file, os.X_OK):
        file.chmod(0o755)  # the wheel of sops comes without the run bit
    return Program(pin.name, pin.version, "wheel", file)


def _in_cache(pin: Pin) -> Program | None:
    file = place(pin)
    if not file.is_file():
        return None
    try:
        source = origin(pin).read_text().strip()
    except OSError:
        source = "cache"
    return Program(pin.name, pin.version, source, file)


def _wheel_file(wheel: Wheel) -> Path | None:
    spec = find_spec(wheel.module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / wheel.file
        if file.is_file():
            return file
    return None


@cache
def _version_of(file: Path, probe: tuple[str, ...]) -> Version | None:
    """What a program says of itself; kept beside the cache while the file is the same, since asking takes a while.

    A script is asked each time: it may hand over to another version in another folder.
    """
    known, key = _known_versions(), _identity(file)
    said = known.get(key) if key else None
    if said is None:
        said = _ask(file, probe)
        if key and said:
            _remember({**known, key: said})
    try:
        return Version(said) if said else None
    except InvalidVersion:
        return None


def _ask(file: Path, probe: tuple[str, ...]) -> str:
    quiet = {"CHECKPOINT_DISABLE": "1", "GOTOOLCHAIN": "local"}
    try:
        done = run(Command((str(file), *probe), env=quiet, timeout=PROBE_SECONDS), check=False)
    except BlackstartError:
        return ""
    found = re.search(r"\d+\.\d+(?:\.\d+)?(?:-?(?:alpha|beta|rc)\.?\d*)?", done.stdout or done.stderr)
    return found[0] if found and done.code == 0 else ""


def _identity(file: Path) -> str:
    real = file.resolve()
    with real.open("rb") as stream:
        if stream.read(2) == b"#!":
            return ""
    status = real.stat()
    return f"{real}:{status.st_size}:{status.st_mtime_ns}"


def _known_versions() -> dict[str, str]:
    try:
        known = json.loads((cache_folder() / "versions.json").read_text())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _remember(known: dict[str, str]) -> None:
    """Only a memory: where it cannot be kept, the program is asked again."""
    target = cache_folder() / "versions.json"
    whole = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(json.dumps(known))
        whole.replace(target)
    except OSError:
        return
