"""Where terraform takes its providers from: its CLI configuration, and the dependency locks of both pairs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from blackstart.config.cache import REGISTRY_LOCK, builtin_lock, builtin_mirror, cache
from blackstart.config.pairs import VERSIONS
from blackstart.errors import MissingTool
from blackstart.toolchain.finding import find
from blackstart.toolchain.pins import FOLDER, pins, this_platform
from blackstart.toolchain.store import write
from blackstart.tools.process import Command, run

Pair = Literal["builtin", "registry"]
BUILTIN = ("terraform-provider-kubernetes", "terraform-provider-helm")
LOCK_SECONDS = 300.0  # the registry's pair is fetched for every platform
PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64")


def terraformrc(pair: Pair) -> Path:
    """The file for TF_CLI_CONFIG_FILE: builtin takes the mirror in the cache alone, registry the registry.

    With `BLACKSTART_REGISTRY_MIRROR` (a folder) the registry pair comes out of that folder instead.
    """
    mirror = str(builtin_mirror()) if pair == "builtin" else os.environ.get("BLACKSTART_REGISTRY_MIRROR", "")
    source = f"filesystem_mirror {{\n    path = {json.dumps(mirror)}\n  }}" if mirror else "direct {}"
    target = cache() / "terraformrc" / f"{pair}{'-mirror' if mirror and pair == 'registry' else ''}.tfrc"
    write(f"disable_checkpoint = true\nprovider_installation {{\n  {source}\n}}\n", target)
    return target


def lock_file(pair: Pair) -> Path:
    """The `.terraform.lock.hcl` of a pair: one is made at installation, the other is committed."""
    return builtin_lock() if pair == "builtin" else FOLDER.parent / REGISTRY_LOCK


def make_lock(staging: Path) -> str:
    """Let terraform hash the builtin pair, once; returns where the lock came from."""
    sources = {name: pins()[name].mirror.rsplit("/", 1)[1] for name in BUILTIN}
    wanted = {short: pins()[name].version for name, short in sources.items()}
    flags = (f"-fs-mirror={builtin_mirror()}", f"-platform={this_platform()}")
    write(_hashed(staging / "lock", wanted, flags), builtin_lock())
    return "made by terraform providers lock"


def lock_registry(root: Path) -> bool:
    """Let terraform hash the registry's pair into the repository `root`, to be committed; False when that is done.

    For every platform: a remote run's is linux_amd64, whatever this machine is. Raises CommandFailed when the
    registry (or the folder BLACKSTART_REGISTRY_MIRROR) does not have it.
    """
    if (root / REGISTRY_LOCK).is_file():
        return False
    mirror = os.environ.get("BLACKSTART_REGISTRY_MIRROR", "")
    flags = [f"-platform={one}" for one in PLATFORMS] + ([f"-fs-mirror={mirror}"] if mirror else [])
    with tempfile.TemporaryDirectory(prefix="blackstart-lock-") as folder:
        write(_hashed(Path(folder), VERSIONS["registry"], flags), root / REGISTRY_LOCK)
    return True


def _hashed(folder: Path, versions: Mapping[str, str], flags: Sequence[str]) -> str:
    """The lock file that `terraform providers lock` makes in an empty folder for hashicorp's providers."""
    terraform = find(pins()["terraform"])
    if terraform is None or terraform.path is None:
        raise MissingTool("there is no terraform to lock the providers with", hint="blackstart toolchain install")
    wanted = {name: {"source": f"hashicorp/{name}", "version": version} for name, version in versions.items()}
    write(json.dumps({"terraform": {"required_providers": wanted}}), folder / "main.tf.json")
    env = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": str(terraformrc("builtin"))}
    argv = (str(terraform.path), "providers", "lock", "-no-color", *flags)
    run(Command(argv, cwd=folder, env=env, timeout=LOCK_SECONDS))
    return (folder / ".terraform.lock.hcl").read_text()
