"""`blackstart down`: layers in reverse order, then the stacks; nothing is left."""

from __future__ import annotations

import psutil

from tests.desk import Desk


def test_down_leaves_no_process_no_port_and_no_file_and_up_comes_back(desk: Desk) -> None:
    desk.good("up")
    done = desk.good("down")
    order = [line.split()[1] for line in done.stderr.splitlines() if "pruned" in line]
    assert order == ["layers/apps", "layers/certs", "layers/controllers"]
    assert not desk.ws.embedded.exists() and not desk.ws.kubeconfig.exists()
    running = [p for p in psutil.process_iter(["cmdline"]) if str(desk.root) in " ".join(p.info["cmdline"] or [])]
    assert running == []
    again = desk.good("down")
    assert "is gone" in again.stderr
