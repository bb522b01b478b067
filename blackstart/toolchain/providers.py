"""Where terraform takes its providers from: its CLI configuration, and the dependency lock of the builtin pair."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from blackstart.config.cache import REGISTRY_LOCK, builtin_lock, builtin_mirror, cache
from blackstart.errors import MissingTool
from blackstart.toolchain.finding import find
from blackstart.toolchain.pins import FOLDER, pins, this_platform
from blackstart.toolchain.store import write
from blackstart.tools.process import Command, run

Pair = Literal["builtin", "registry"]
BUILTIN = ("terraform-provider-kubernetes", "terraform-provider-helm")
LOCK_SECONDS = 120.0


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
    terraform = find(pins()["terraform"])
    if terraform is None or terraform.path is None:
        raise MissingTool("there is no terraform to lock the providers with", hint="blackstart toolchain install")
    sources = {name: pins()[name].mirror.rsplit("/", 1)[1] for name in BUILTIN}
    wanted = {
        short: {"source": f"hashicorp/{short}", "version": pins()[name].version} for name, short in sources.items()
    }
    folder = staging / "lock"
    write(json.dumps({"terraform": {"required_providers": wanted}}), folder / "main.tf.json")
    argv = ("providers", "lock", f"-fs-mirror={builtin_mirror()}", f"-platform={this_platform()}")
    env = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": str(terraformrc("builtin"))}
    run(Command((str(terraform.path), *argv), cwd=folder, env=env, timeout=LOCK_SECONDS))
    write((folder / ".terraform.lock.hcl").read_text(), builtin_lock())
    return "made by terraform providers lock"
