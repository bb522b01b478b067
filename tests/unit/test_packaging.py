"""An installed copy has every module: the pre-commit framework makes one, everybody else a link to the source."""

from __future__ import annotations

import tomllib
from pathlib import Path

from setuptools import find_packages

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_module_is_in_a_package_that_is_installed() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "blackstart").rglob("*.py")}
    found = find_packages(str(ROOT), include=SETTINGS["packages"]["find"]["include"])
    assert {".".join(folder.parts) for folder in folders} == set(found)


def test_every_other_file_is_installed_too() -> None:
    others = [
        path for path in (ROOT / "blackstart").rglob("*.*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    given = {f"{name.replace('.', '/')}/{file}" for name, files in SETTINGS["package-data"].items() for file in files}
    assert {str(path.relative_to(ROOT)) for path in others} == given
