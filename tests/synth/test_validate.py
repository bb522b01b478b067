"""terraform itself reads the stacks, as far as their providers are here: the builtin pair, or none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.config.cache import builtin_mirror
from blackstart.errors import MissingTool

STACKS = (
    "builtin-cluster",
    "builtin-sops-age",
    "builtin-flux",
    "single",
    "shared-cluster",
    "bucket-cluster",
    "hcp-cluster",
)


@pytest.fixture
def settings() -> dict[str, str]:
    try:
        toolchain.path("terraform")
    except MissingTool as error:
        pytest.skip(f"{error.message}; {error.hint}")
    if not any(builtin_mirror().rglob("terraform-provider-helm_*")):
        pytest.skip("the builtin pair of providers is not installed; blackstart toolchain install")
    return {**os.environ, "TF_CLI_CONFIG_FILE": str(toolchain.terraformrc("builtin"))}


@pytest.mark.parametrize("name", STACKS)
def test_terraform_finds_the_stack_valid(name: str, stacks: Path, settings: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "cdktf.out" / "stacks" / name
    shutil.copytree(stacks / name, folder, symlinks=True)
    (folder / ".terraform.lock.hcl").unlink(missing_ok=True)
    kubeconfig = tmp_path / ".blackstart" / "builtin" / "kubeconfig"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.touch()
    for argv in (["init", "-backend=false"], ["validate"]):
        done = subprocess.run(
            [str(toolchain.path("terraform")), f"-chdir={folder}", *argv, "-no-color"],
            env=settings,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
