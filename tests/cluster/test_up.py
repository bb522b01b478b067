"""`blackstart up` on a real embedded cluster: what it makes, that it changes nothing the second time, what it tells."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import psutil

from blackstart.report.drills import LIMITS
from tests.desk import Desk

LAYERS = ["controllers", "certs", "apps"]


def reports(desk: Desk) -> list[dict[str, object]]:
    """The reports of all runs, the oldest first."""
    return [json.loads(path.read_text()) for path in sorted(desk.ws.runs.glob("*/report.json"))]


def test_everything_is_ready_and_status_says_so(ready: Desk) -> None:
    found = ready.good("-o", "json", "status").json()
    assert found["ready"] is True
    assert found["commit"] == ready.git("rev-parse", "HEAD")
    assert [layer["name"] for layer in found["layers"]] == LAYERS
    assert all(layer["ready"] and layer["revision"].endswith(found["commit"]) for layer in found["layers"])
    assert found["layers"][1]["depends_on"] == ["controllers"]
    assert [stack["name"] for stack in found["stacks"]] == ["local-cluster", "local-sops-age", "local-flux"]
    assert found["secrets"]["sops_age"]["matches"] is True
    assert set(found["identity"]) == {"uid", "ca_sha256", "endpoint"}


def test_the_report_has_the_contract_s_fields(ready: Desk) -> None:
    first = reports(ready)[0]
    fields = {"command", "cluster", "commit", "started", "finished", "seconds", "outcome", "phases", "verified"}
    assert fields <= set(first)
    assert first["outcome"] == "ready"
    said = [note for note in first["notes"] if "simulated" in note or "CRDs" in note]  # type: ignore[attr-defined]
    assert said == [LIMITS]  # the bundled charts are made for simulated pods: nothing more is simulated for them
    assert first["verified"] == {"layers": 3, "secrets": 7}
    names = [phase["name"] for phase in first["phases"]]  # type: ignore[attr-defined]
    assert [name for name in names if name in ("cluster", "sops-age", "flux", "layers")] == [
        "cluster",
        "sops-age",
        "flux",
        "layers",
    ]


def test_a_second_run_changes_nothing_and_says_so(ready: Desk) -> None:
    ready.good("up")  # the first refresh fills in what the API had defaulted
    pods = {pod["metadata"]["uid"] for pod in ready.api().list_all("Pod")}
    states = {path.name: json.loads(path.read_text())["serial"] for path in ready.ws.states.glob("*.tfstate")}
    done = ready.good("up")
    assert "nothing to change" in done.stderr
    assert reports(ready)[-1]["outcome"] == "unchanged"
    assert {pod["metadata"]["uid"] for pod in ready.api().list_all("Pod")} == pods
    assert {path.name: json.loads(path.read_text())["serial"] for path in ready.ws.states.glob("*.tfstate")} == states


def test_json_output_is_one_event_a_line_with_the_contract_s_fields(ready: Desk) -> None:
    events = ready.good("-o", "json", "up").events()
    assert events[0]["event"] == "begin" and events[-1]["event"] == "end"
    assert all(set(event) == {"ts", "event", "step", "status", "reason", "elapsed"} for event in events)
    assert {f"layers/{name}" for name in LAYERS} <= {e["step"] for e in events if e["status"] == "ready"}


def test_the_cluster_s_folder_is_private_and_the_key_only_where_builtin_providers_must_put_it(ready: Desk) -> None:
    key = next(line for line in (ready.root / "keys/local.agekey").read_text().splitlines() if line[:1] == "A")
    assert stat.S_IMODE(ready.ws.folder.stat().st_mode) == 0o700
    holders = [path for path in files(ready.root) if key in path.read_text(errors="replace")]
    allowed = [path for path in holders if path.parent in (ready.ws.states, ready.ws.backups)]
    others = [path for path in holders if path not in allowed and path != ready.root / "keys/local.agekey"]
    assert [path for path in others if ".git" not in path.parts and "etcd" not in str(path)] == []
    assert allowed, "builtin providers keep the key in the state: the search found nothing, so it proves nothing"
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in allowed} == {0}


def files(root: Path) -> list[Path]:
    """Every regular file below a folder."""
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_everything_listens_on_loopback_only(ready: Desk) -> None:
    ours = [process for process in psutil.process_iter() if str(ready.root) in " ".join(command_line(process))]
    sockets = [one for process in ours for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert sockets
    assert {one.laddr.ip for one in sockets} == {"127.0.0.1"}


def command_line(process: psutil.Process) -> list[str]:
    """A process's arguments; none when it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_plan_has_nothing_to_change_and_shows_what_a_commit_would(ready: Desk) -> None:
    found = ready.good("-o", "json", "plan").json()
    assert all(not stack["changes"] and not stack["after"] for stack in found["stacks"])
    assert all(not layer[kind] for layer in found["layers"] for kind in ("created", "changed", "removed"))
    ready.edit("clusters/local.yaml", "domain: blackstart.test", "domain: other.test")
    try:
        ready.commit("another domain")
        changed = ready.good("-o", "json", "plan").json()
        flux = next(stack for stack in changed["stacks"] if stack["name"] == "local-flux")
        assert [change[0] for change in flux["changes"]] == ["helm_release.flux-sync"]
    finally:
        ready.git("reset", "--quiet", "--hard", "HEAD~1")


def test_kubeconfig_is_fetched_anew_when_it_is_gone(ready: Desk) -> None:
    ready.ws.kubeconfig.unlink()
    path = Path(ready.good("kubeconfig", "--path").stdout.strip())
    assert path == ready.ws.kubeconfig
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ready.ws.kubeconfig.unlink()
    assert "nothing to change" in ready.good("up").stderr


def test_a_new_commit_reaches_every_layer(ready: Desk) -> None:
    ready.edit("gitops/flux/apps/monitoring/namespace.yaml", "metadata:", "metadata:\n  annotations: {moved: 'yes'}")
    commit = ready.commit("an annotation")
    ready.good("up")
    found = ready.good("-o", "json", "status").json()
    assert found["commit"] == commit
    assert ready.api().get("Namespace", "monitoring")["metadata"]["annotations"]["moved"] == "yes"  # type: ignore[index]


def test_a_suspended_layer_is_broken_and_the_hint_says_how_to_go_on(ready: Desk) -> None:
    ready.api().patch("Kustomization", "certs", "flux-system", {"spec": {"suspend": True}})
    try:
        done = ready.run("up")
        assert done.code == 6
        assert "certs: suspended" in done.stderr and "flux resume kustomization certs" in done.stderr
    finally:
        ready.api().patch("Kustomization", "certs", "flux-system", {"spec": {"suspend": False}})
    ready.good("up")


def test_a_second_run_while_one_works_is_refused_with_its_pid(ready: Desk) -> None:
    from filelock import FileLock

    lock = FileLock(ready.ws.lock)
    with lock.acquire(timeout=0):
        done = ready.run("up")
    assert done.code == 9
    assert "another run works on local" in done.stderr


def test_the_operator_s_environment_redirects_nothing(ready: Desk) -> None:
    traps = {"KUBE_HOST": "https://127.0.0.1:1", "TF_LOG": "TRACE", "TF_CLI_ARGS": "-destroy", "KUBECONFIG": "/none"}
    assert "nothing to change" in ready.good("up", env=traps).stderr
