"""With write-only attributes the key is in no state, no plan file, nowhere in `terraform show` (issue 5).

It needs the registry's pair of providers in the folder BLACKSTART_REGISTRY_MIRROR, for tests stay on loopback.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.tools import age
from tests.desk import Desk, lay
from tests.secrecy.searching import Secret, in_files

pytestmark = [pytest.mark.cluster, pytest.mark.modern_provider]
MIRROR = os.environ.get("BLACKSTART_REGISTRY_MIRROR", "")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Cluster `local`, Ready, by the registry's providers."""
    if not MIRROR:
        pytest.skip("BLACKSTART_REGISTRY_MIRROR names no folder with the registry's pair of providers")
    made = lay(tmp_path_factory.mktemp("registry"))
    made.edit("clusters/local.yaml", "providers: builtin", "providers: registry")
    made.commit("the modern pair")
    try:
        made.good("up")
        yield made
    finally:
        made.remove_cluster()


@pytest.fixture
def secret(desk: Desk) -> Secret:
    found = age.parse((desk.root / "keys/local.agekey").read_text(), "keys/local.agekey")
    return Secret(found.identities)


def test_nothing_but_the_key_file_and_etcd_holds_the_key(desk: Desk, secret: Secret) -> None:
    def may_hold(path: Path) -> bool:
        published = {".git", "git.git"}.intersection(path.parts)  # this key is in every clone
        return path == desk.root / "keys/local.agekey" or "etcd" in path.parts or bool(published)

    assert [*desk.ws.states.iterdir()]
    assert in_files([secret], [desk.root], may_hold) == []


@pytest.mark.parametrize("change", [(), ("-replace",)])
def test_a_plan_file_holds_nothing(desk: Desk, secret: Secret, tmp_path: Path, change: tuple[str, ...]) -> None:
    plan = tmp_path / "tfplan"
    key = (desk.root / "keys/local.agekey").read_text()
    env = {"TF_VAR_age_key": key, "TF_CLI_CONFIG_FILE": str(toolchain.terraformrc("registry"))}
    stack = desk.ws.out / "stacks" / "local-sops-age"
    replaced = [f"{flag}=kubernetes_secret_v1.sops-age" for flag in change]
    assert _terraform(stack, env, "plan", f"-out={plan}", *replaced)
    assert list(secret.forms_in(plan.read_bytes())) == []
    for shown in (_terraform(stack, env, "show", "-json", str(plan)), _terraform(stack, env, "show", "-json")):
        assert shown and list(secret.forms_in(shown)) == []


def _terraform(stack: Path, env: dict[str, str], *words: str) -> bytes:
    argv = [str(toolchain.path("terraform")), f"-chdir={stack}", *words]
    return subprocess.run(argv, env={**os.environ, **env}, capture_output=True, check=True, timeout=300).stdout
