"""Forgetting a resource leaves no copy of the state where no secret belongs, with the real terraform."""

from __future__ import annotations

import json
from pathlib import Path

from blackstart import toolchain
from blackstart.tools.terraform import Terraform

STACK = {
    "terraform": {"backend": {"local": {"path": "../states/x.tfstate"}}},
    "resource": {"terraform_data": {"a": {"input": "secret"}, "b": {"input": "secret"}}},
}


def test_what_is_forgotten_is_kept_beside_the_state(tmp_path: Path) -> None:
    stack, states = tmp_path / "stack", tmp_path / "states"
    stack.mkdir()
    states.mkdir()
    (stack / "cdk.tf.json").write_text(json.dumps(STACK))
    terraform = Terraform(stack, binary=toolchain.path("terraform"))
    terraform.init()
    terraform.apply()
    for address in ("terraform_data.a", "terraform_data.b"):
        terraform.forget([address])
    assert sorted(path.name for path in stack.iterdir() if path.name != ".terraform") == ["cdk.tf.json"]
    kept = [path.read_text() for path in states.glob("x.tfstate.[0-9]*.backup")]
    assert len(kept) == 2 and all("secret" in text for text in kept)
    state = terraform.pull()
    assert state is not None and state.addresses() == []
