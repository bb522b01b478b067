"""`blackstart recover` on a real embedded cluster: a lost state is adopted, lost data comes back before what needs it.

The other disasters are drills (blackstart/drill/scenarios).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.desk import Desk

HOOKS = """
recover:
  hooks:
    - {name: restore, after: controllers, run: [sh, restore.sh], timeout: 60}
    - name: volumes
      after: certs
      apply: volumes
      wait: {kind: PersistentVolume, name: kept, condition: Available}
      timeout: 60
"""
RESTORE = """test -n "$KUBECONFIG" || exit 3
echo "$BLACKSTART_CLUSTER" >> restored
test ! -e broken
"""
VOLUME = """apiVersion: v1
kind: PersistentVolume
metadata: {name: kept}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: kept
  hostPath: {path: /kept}
"""


def pods(desk: Desk) -> dict[str, str]:
    """The UID of every pod, by name."""
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in desk.api().list_all("Pod")}


def test_a_lost_state_is_adopted_and_no_pod_is_restarted(ready: Desk) -> None:
    before = pods(ready)
    shutil.rmtree(ready.ws.states)
    shutil.rmtree(ready.ws.backups)
    ready.ws.identity.unlink()
    done = ready.good("recover", "--yes")
    assert "what is ours is adopted" in done.stderr
    assert pods(ready) == before
    assert ready.good("-o", "json", "status").json()["ready"] is True
    assert "nothing to change" in ready.good("up").stderr


def test_without_a_terminal_and_without_yes_nothing_is_done(ready: Desk) -> None:
    serials = {path.name: path.read_text() for path in ready.ws.states.glob("*.tfstate")}
    done = ready.run("recover")
    assert done.code == 8
    assert "--yes" in done.stderr
    assert {path.name: path.read_text() for path in ready.ws.states.glob("*.tfstate")} == serials
    shown = ready.good("recover", "--dry-run")
    assert "Verdict" in shown.stdout and "Plan" in shown.stdout


@pytest.fixture
def hooked(ready: Desk) -> Iterator[Desk]:
    """The cluster file with two hooks, the first of which fails while `broken` lies there."""
    file = ready.root / "clusters/local.yaml"
    plain = file.read_text()
    file.write_text(plain + HOOKS)
    (ready.root / "restore.sh").write_text(RESTORE)
    (ready.root / "volumes").mkdir()
    (ready.root / "volumes/pv.yaml").write_text(VOLUME)
    ready.commit("hooks")
    try:
        yield ready
    finally:
        file.write_text(plain)
        ready.commit("no hooks")
        ready.good("up")


def test_layers_wait_until_their_data_is_restored(hooked: Desk) -> None:
    (hooked.root / "broken").touch()
    argv = [sys.executable, "-m", "blackstart.embedded", "delete", "--cluster", "local"]
    subprocess.run(argv, cwd=hooked.root, env=hooked.environment(), check=True, timeout=120)
    failed = hooked.run("recover", "--yes")
    assert failed.code == 4
    assert "--skip-hook restore" in failed.stderr
    layers = {layer["name"]: layer for layer in hooked.run("-o", "json", "status").json()["layers"]}
    assert layers["controllers"]["ready"]
    assert not layers["certs"]["ready"] and not layers["apps"]["ready"]
    assert hooked.api().get("HelmRelease", "gitlab", "gitlab") is None, "born suspended: nothing of it was ever applied"

    (hooked.root / "broken").unlink()
    hooked.good("up")
    assert hooked.good("-o", "json", "status").json()["ready"] is True
    assert hooked.api().get("PersistentVolume", "kept") is not None
    record = hooked.api().get("ConfigMap", "blackstart-hooks", "flux-system")
    assert record is not None and record["data"] == {"restore": "done", "volumes": "done"}
    hooked.good("up")
    assert (hooked.root / "restored").read_text() == "local\nlocal\n", "once for each attempt, and not after it is done"
