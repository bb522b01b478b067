"""`cdktf deploy '*'` brings the stacks to the same end as `blackstart up` (make test-cdktf)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart import toolchain
from tests.desk import Desk, ids_in_states, lay

pytestmark = pytest.mark.cluster


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = lay(tmp_path)
    try:
        yield made
    finally:
        made.remove_cluster()


def test_cdktf_deploys_what_up_would(desk: Desk) -> None:
    cdktf, node = toolchain.path("cdktf"), toolchain.path("node")
    lines = (desk.root / "keys" / "local.agekey").read_text().splitlines()
    key = next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))
    environment = desk.environment(
        PATH=f"{node.parent}:{toolchain.path('terraform').parent}:{os.environ['PATH']}",
        TF_VAR_age_key=key,
        CHECKPOINT_DISABLE="1",
        CDKTF_DISABLE_PLUGIN_CACHE_ENV="1",
        CI="1",
    )
    deployed = subprocess.run(
        [str(cdktf), "deploy", "*", "--auto-approve", "--skip-provider-lock"],
        cwd=desk.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )
    assert deployed.returncode == 0, f"{deployed.stdout[-4000:]}\n{deployed.stderr[-4000:]}"
    assert key not in deployed.stdout + deployed.stderr
    desk.good("status", "--wait")
    before = ids_in_states(desk)
    assert len(before) >= 12
    desk.good("up")
    assert ids_in_states(desk) == before, "up found what cdktf had made"
