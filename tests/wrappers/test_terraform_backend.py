"""States that move to another backend, by the real terraform."""

from __future__ import annotations

import json
from pathlib import Path

from blackstart import toolchain
from blackstart.tools.terraform import Terraform
from tests.cluster import http_states


def test_the_backend_of_the_configuration_counts_whatever_it_was_before(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("")

    def keep_in(**backend: object) -> None:
        configuration = {"terraform": {"backend": backend}, "resource": {"terraform_data": {"x": {}}}}
        (tmp_path / "cdk.tf.json").write_text(json.dumps(configuration))

    with http_states.serve() as shelf:
        env = {"TF_CLI_CONFIG_FILE": str(tmp_path / "rc"), **shelf.variables}
        terraform = Terraform(tmp_path, binary=toolchain.path("terraform"), env=env)
        keep_in(local={"path": "here.tfstate"})
        terraform.init()
        terraform.apply()
        address = f"http://127.0.0.1:{shelf.port}/x"
        keep_in(http={"address": address, "lock_address": address, "unlock_address": address, "retry_max": 0})
        terraform.init()
        assert terraform.pull() is None, "nothing is carried over"
        terraform.apply()
        there = terraform.pull()
        assert there is not None and shelf.serial("x") == (there.lineage, there.serial) and not shelf.locks
    keep_in(local={"path": "here.tfstate"})
    terraform.init()  # the server is gone
    here = terraform.pull()
    assert here is not None and here.lineage != there.lineage
