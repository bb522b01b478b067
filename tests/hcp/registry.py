"""A folder in the layout of a provider mirror with the registry's pair in name only: terraform can hash it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from blackstart.toolchain.providers import PLATFORMS

PAIR = {"kubernetes": "3.2.1", "helm": "3.1.2"}


def mirror(folder: Path) -> Path:
    """One archive a provider and platform, with nothing in it that runs."""
    for name, version in PAIR.items():
        place = folder / "registry.terraform.io" / "hashicorp" / name
        place.mkdir(parents=True)
        for platform in PLATFORMS:
            archive = place / f"terraform-provider-{name}_{version}_{platform}.zip"
            with zipfile.ZipFile(archive, "w") as packed:
                packed.writestr(f"terraform-provider-{name}_v{version}", f"{name} for {platform}")
    return folder
