"""`state.cloud.execution: local`: the real terraform with its cloud backend, against the peer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.errors import CommandFailed, Locked
from blackstart.tools.cloud_token import variable
from blackstart.tools.terraform import Terraform
from blackstart.tools.terraform_cloud import TerraformCloud
from tests.hcp.peer import TOKEN, Peer


@pytest.fixture
def terraform(peer: Peer, cloud: TerraformCloud, tmp_path: Path) -> Terraform:
    """A stack whose workspace is there, in local execution."""
    cloud.create("organizations/acme/workspaces", "workspaces", {"name": "one", "execution-mode": "local"})
    where = {"hostname": peer.hostname, "organization": "acme", "workspaces": {"name": "one"}}
    resources = {"terraform_data": {"first": {"input": "a"}, "second": {"input": "b"}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"cloud": where}, "resource": resources}))
    ready = Terraform(tmp_path, binary=toolchain.path("terraform"), env={variable(peer.hostname): TOKEN})
    ready.init()
    return ready


def test_states_are_kept_there(peer: Peer, terraform: Terraform, tmp_path: Path) -> None:
    """Apply, forget, adopt and push go through terraform itself; the workspace is locked meanwhile, not after."""
    assert terraform.apply().added == 2
    assert peer.asked("POST", "/actions/lock") and not peer.store.named("one").locked_by
    kept = terraform.pull()
    assert kept is not None and len(peer.store.named("one").states) >= 1
    assert not list(tmp_path.glob("*.tfstate"))
    terraform.forget(["terraform_data.second"])
    terraform.adopt("terraform_data.second", "an-id")
    again = terraform.pull()
    assert again is not None and again.lineage == kept.lineage and again.serial > kept.serial
    assert terraform.destroy().removed == 2 and not peer.store.named("one").locked_by


def test_a_state_that_cannot_be_kept_is_left_here_and_pushed_later(
    peer: Peer, terraform: Terraform, tmp_path: Path
) -> None:
    peer.refuse_state_uploads = True
    with pytest.raises(CommandFailed):
        terraform.apply()
    left = tmp_path / "errored.tfstate"
    assert left.is_file() and not peer.store.named("one").states
    peer.refuse_state_uploads = False
    with pytest.raises(Locked, match="acme/one"):  # terraform leaves the lock
        terraform.push(left)
    terraform.force_unlock("acme/one")
    terraform.push(left)
    state = terraform.pull()
    assert state is not None and len(state.addresses()) == 2


def test_a_lock_that_somebody_holds_is_an_error(peer: Peer, terraform: Terraform) -> None:
    peer.store.named("one").locked_by = "somebody else"
    with pytest.raises(Locked, match=r"locked: acme/one$") as caught:  # not who asked
        terraform.apply()
    assert "force-unlock acme/one" in caught.value.hint
    assert not peer.store.named("one").states
