"""Where installed outside parts lie: one rule for the toolchain, which writes there, and the stacks, which read."""

from __future__ import annotations

import os
from pathlib import Path

FLUX_CHARTS = ("flux-crds", "flux")
FLUX_VERSION = "2.9.4"
REGISTRY_LOCK = "toolchain/locks/registry.terraform.lock.hcl"


def cache() -> Path:
    """`BLACKSTART_CACHE`, else `~/.cache/blackstart` (`XDG_CACHE_HOME` is honoured)."""
    chosen = os.environ.get("BLACKSTART_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "blackstart"


def flux_chart(name: str, version: str) -> Path:
    """The folder of a chart (one of `FLUX_CHARTS`) assembled from Flux's manifests of `version`, such as 2.9.4."""
    return cache() / "flux" / version / name


def builtin_lock() -> Path:
    """The dependency lock of the builtin pair of providers, made when the pair is installed."""
    return cache() / "locks" / "builtin.terraform.lock.hcl"


def builtin_mirror() -> Path:
    """The filesystem mirror with the builtin pair of providers, in the layout that terraform asks for."""
    return cache() / "mirror"
