"""The real terraform takes the builtin pair from the mirror, with the lock made at installation."""

import json
import shutil
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.errors import CommandFailed
from blackstart.toolchain.providers import Pair
from blackstart.tools.process import Command, run


def init(folder: Path, pair: Pair, providers: dict[str, dict[str, str]]) -> str:
    (folder / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": providers}}))
    env = {"TF_CLI_CONFIG_FILE": str(toolchain.terraformrc(pair))}
    argv = [str(toolchain.path("terraform")), "init", "-no-color", "-input=false", "-lockfile=readonly"]
    return run(Command(argv, cwd=folder, env=env, timeout=60)).stdout


def test_the_builtin_pair_needs_no_registry_and_its_lock_holds(tmp_path: Path) -> None:
    shutil.copy(toolchain.lock_file("builtin"), tmp_path / ".terraform.lock.hcl")
    wanted = {
        "kubernetes": {"source": "hashicorp/kubernetes", "version": "1.13.4"},
        "helm": {"source": "hashicorp/helm", "version": "1.3.2"},
    }
    said = init(tmp_path, "builtin", wanted)
    assert "Installed hashicorp/kubernetes v1.13.4" in said
    assert "Installed hashicorp/helm v1.3.2" in said


def test_nothing_but_the_pair_comes_from_the_mirror(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        init(tmp_path, "builtin", {"random": {"source": "hashicorp/random", "version": "3.6.0"}})
    assert "hashicorp/random" in caught.value.tail


def test_the_registry_pair_can_come_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKSTART_REGISTRY_MIRROR", str(tmp_path / "mirror"))
    assert str(tmp_path / "mirror") in toolchain.terraformrc("registry").read_text()
    monkeypatch.delenv("BLACKSTART_REGISTRY_MIRROR")
    assert "direct {}" in toolchain.terraformrc("registry").read_text()
