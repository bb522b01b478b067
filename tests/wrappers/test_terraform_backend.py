"""States on an HTTP server with locks and on a real S3 server, by the real terraform; and states that move."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.errors import Locked
from blackstart.tools.terraform import Terraform
from tests.cluster import http_states, s3_server


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


HOLDER = {"ID": "d7e4ab3c-0000-4000-8000-000000000000", "Who": "someone@elsewhere", "Operation": "OperationTypeApply"}


@dataclass(frozen=True)
class Kept:
    """A backend: its settings, its credentials, how another takes its lock, whether it is free."""

    backend: dict[str, object]
    variables: dict[str, str]
    take: Callable[[], object]
    is_free: Callable[[], bool]
    tells_who: bool


@contextmanager
def on_http(folder: Path) -> Iterator[Kept]:
    with http_states.serve() as shelf:
        address = f"http://127.0.0.1:{shelf.port}/x"
        backend = {"address": address, "lock_address": address, "unlock_address": address, "retry_max": 0}
        take = partial(shelf.locks.__setitem__, "/x", HOLDER)
        yield Kept({"http": backend}, shelf.variables, take, lambda: not shelf.locks, False)


@contextmanager
def on_s3(folder: Path) -> Iterator[Kept]:
    with s3_server.serve(folder) as bucket:
        backend = {**bucket.settings, "key": "x.tfstate"}
        take = partial(bucket.write, "x.tfstate.tflock", json.dumps(HOLDER))
        yield Kept({"s3": backend}, bucket.variables, take, lambda: not bucket.read("x.tfstate.tflock"), True)


@pytest.mark.parametrize("on", [on_http, on_s3])
def test_a_lock_of_another_is_told_and_can_be_released(
    on: Callable[[Path], AbstractContextManager[Kept]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackstart.tools.terraform.LOCK_TIMEOUT", "0s")
    (tmp_path / "rc").write_text("")
    (tmp_path / "server").mkdir()
    with on(tmp_path / "server") as kept:
        configuration = {"terraform": {"backend": kept.backend}, "resource": {"terraform_data": {"x": {}}}}
        (tmp_path / "cdk.tf.json").write_text(json.dumps(configuration))
        env = {"TF_CLI_CONFIG_FILE": str(tmp_path / "rc"), **kept.variables}
        terraform = Terraform(tmp_path, binary=toolchain.path("terraform"), env=env)
        terraform.init()
        terraform.apply()
        assert kept.is_free()
        kept.take()
        for act in (terraform.apply, lambda: terraform.forget(["terraform_data.x"])):
            with pytest.raises(Locked, match=HOLDER["ID"]) as refused:
                act()
        assert (HOLDER["Who"] in refused.value.message) == kept.tells_who
        assert f"force-unlock {HOLDER['ID']}" in refused.value.hint
        terraform.force_unlock(HOLDER["ID"])
        assert kept.is_free()
        terraform.forget(["terraform_data.x"])
        state = terraform.pull()
        assert state is not None and not state.addresses() and kept.is_free()
