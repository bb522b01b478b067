"""A real embedded cluster whose states are on the peer: `up`, a lost cluster, `recover`, `down`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.tools.cloud_token import variable
from tests.desk import Desk, lay
from tests.hcp.peer import TOKEN, Peer

STATE = "state: {{backend: cloud, cloud: {{hostname: '{}', organization: acme, execution: local}}}}\n"
STACKS = ("local-cluster", "local-sops-age", "local-flux")


@pytest.fixture
def desk(peer: Peer, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose states are on the peer; what it makes is removed."""
    made = replace(lay(tmp_path), extra={variable(peer.hostname): TOKEN, "SSL_CERT_FILE": str(peer.ca)})
    file = made.root / "clusters" / "local.yaml"
    file.write_text(file.read_text() + STATE.format(peer.hostname))
    made.commit("states on HCP Terraform")
    try:
        yield made
    finally:
        made.remove_cluster()


def serials(peer: Peer) -> dict[str, tuple[str, int]]:
    """Lineage and serial of each stack's newest state."""
    newest = {name: peer.store.named(name).states[-1] for name in STACKS}
    return {name: (one["lineage"], one["serial"]) for name, one in newest.items()}


@pytest.mark.cluster
def test_up_recover_and_down(peer: Peer, desk: Desk) -> None:
    early = desk.run("up")
    assert early.code == 2 and "cloud setup" in early.stderr
    assert not peer.store.workspaces, "terraform would have made them in mode remote"

    desk.good("cloud", "setup")
    desk.good("up")
    made = serials(peer)
    assert not list(desk.ws.states.glob("*.tfstate*")) and not peer.store.runs
    assert not any(one.locked_by for one in peer.store.workspaces.values())
    assert TOKEN not in "".join(path.read_text() for path in desk.ws.runs.rglob("*") if path.is_file())

    desk.remove_cluster()
    lost = desk.good("-o", "json", "recover", "--yes")
    assert lost.events()[-1]["status"] == "ready"
    assert desk.good("-o", "json", "status").json()["ready"] is True
    recovered = serials(peer)
    assert all(recovered[name][0] == made[name][0] and recovered[name][1] > made[name][1] for name in STACKS)
    assert {path.name.partition(".")[0] for path in desk.ws.backups.iterdir()} >= set(STACKS)

    desk.good("down")
    left = [json.loads(peer.store.named(name).states[-1]["raw"])["resources"] for name in STACKS]
    assert left == [[], [], []]
