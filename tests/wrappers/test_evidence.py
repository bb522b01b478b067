"""Evidence is collected whatever hangs: every look ends, and says what it found."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.workspace import write_private
from blackstart.errors import ToolFailed
from blackstart.progress import Progress
from blackstart.providers import Existence
from blackstart.recovery.evidence import collect, state_fact
from blackstart.recovery.facts import Mark
from blackstart.recovery.verdict import Row, decide
from blackstart.steps.run import Run
from blackstart.steps.states import back_up
from blackstart.synth import Manifest, Stack
from blackstart.tools.age import FoundKey
from blackstart.tools.git import Commit

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
users: [{{name: u, user: {{token: t}}}}]
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:{port}"}}}}]
"""
HOLD_LOCK = (
    "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held',flush=True); input()"
)


@dataclass
class FakeProvider:
    """Stands where a real provider cannot be asked here; says one thing, or raises, or never answers."""

    said: Existence | Exception | None

    def exists(self) -> Existence:
        if self.said is None:
            threading.Event().wait()
        if isinstance(self.said, Exception):
            raise self.said
        assert self.said is not None
        return self.said

    def kubeconfig(self) -> str:
        raise ToolFailed("none")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    config = ClusterConfig.model_validate(
        {
            "cluster": {"provider": "embedded"},
            "git": {"path": "x"},
            "providers": "builtin",
            "sops": {"recipients": ["age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3"]},
        }
    )
    run = Run(Workspace(tmp_path, "local"), config, Progress(), tmp_path / "run")
    run.found_key = FoundKey("", config.sops.recipients and tuple(config.sops.recipients), "test")
    run.found_commit = Commit("a" * 40, "a commit")
    run.found_manifest = Manifest((Stack("local-flux", "flux", tmp_path, ()),))
    says(run, monkeypatch, Existence(True, True, "it runs"))
    return run


def says(run: Run, monkeypatch: pytest.MonkeyPatch, said: Existence | Exception | None) -> None:
    monkeypatch.setattr("blackstart.steps.run.provider", lambda ws, config: FakeProvider(said))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def state(serial: int = 3, lineage: str = "l", uid: str = "uid-1") -> str:
    identity = {"input": {"value": {"uid": uid, "ca_sha256": "ca"}, "type": ["object", {}]}}
    return json.dumps(
        {
            "version": 4,
            "serial": serial,
            "lineage": lineage,
            "resources": [
                resource("terraform_data", "identity", "terraform.io/builtin/terraform", identity),
                resource("helm_release", "flux", "registry.terraform.io/hashicorp/helm"),
                resource("null_resource", "else", "registry.terraform.io/hashicorp/null"),
                {**resource("kubernetes_namespace", "n", "registry.terraform.io/hashicorp/kubernetes"), "mode": "data"},
            ],
        },
        indent=2,
    )


def resource(kind: str, name: str, provider: str, attributes: dict[str, Any] | None = None) -> dict[str, Any]:
    instances = [{"attributes": attributes or {}}]
    return {
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider": f'provider["{provider}"]',
        "instances": instances,
    }


def keep(run: Run, text: str) -> None:
    write_private(run.ws.state("local-flux"), text)


def test_an_api_that_never_answers_is_silent_and_nothing_is_decided(run: Run, silent_port: int) -> None:
    write_private(run.ws.kubeconfig, KUBECONFIG.format(port=silent_port))
    keep(run, state())
    found = collect(run)
    assert found.api.answer == "silent"
    assert found.recorded == Mark("uid-1", "ca")
    assert decide(found).row is Row.UNPROVEN


def test_an_api_that_refuses_is_told_from_a_silent_one(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    write_private(run.ws.kubeconfig, KUBECONFIG.format(port=port))
    assert collect(run).api.answer == "refuses"


def test_the_provider_s_kubeconfig_is_tried_and_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a token; what a run leaves is kept for long."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = KUBECONFIG.format(port=server.getsockname()[1])
    monkeypatch.setattr(FakeProvider, "kubeconfig", lambda self: given)
    api = collect(run).api
    assert api.answer == "refuses" and api.from_provider
    assert not [path for path in run.folder.rglob("*") if path.is_file() and "token: t" in path.read_text()]


@pytest.mark.parametrize("said", [None, ToolFailed("no host answers"), Existence(False, False, "")])
def test_a_provider_that_cannot_tell_proves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, said: Existence | Exception | None
) -> None:
    says(run, monkeypatch, said)
    keep(run, state())
    found = collect(run)
    assert not found.provider.known
    assert decide(found).row is Row.UNPROVEN


def test_a_lost_cluster_forgets_by_provider_address_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    says(run, monkeypatch, Existence(False, False, "no record of it"))
    keep(run, state())
    verdict = decide(collect(run))
    assert verdict.forget == {"local-flux": ("helm_release.flux", "terraform_data.identity")}


def test_a_malformed_kubeconfig_is_no_answer(run: Run) -> None:
    write_private(run.ws.kubeconfig, "user: {a: b")
    assert collect(run).api.answer == "unknown"


def test_a_state_that_a_living_process_holds_is_locked(run: Run) -> None:
    keep(run, state())
    file = run.ws.state("local-flux")
    said = {"Who": "someone@host", "Operation": "apply", "Created": "now"}
    write_private(file.with_name(f".{file.name}.lock.info"), json.dumps(said))
    stack = run.manifest.stacks[0]
    assert state_fact(run, stack).lock == ""  # what a killed terraform left does not count
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        lock = state_fact(run, stack).lock
        holder.communicate(b"\n", timeout=10)
    assert "someone@host" in lock


def test_a_cut_off_state_is_replaced_by_the_backup_that_fits(run: Run) -> None:
    back_up(run, "local-flux", state(serial=2, uid="uid-of-a-lost-cluster"))
    back_up(run, "local-flux", state(serial=9))
    back_up(run, "local-flux", state(serial=3, lineage="another"))
    keep(run, state(serial=3)[:200])
    write_private(run.ws.identity, json.dumps({"uid": "uid-1", "ca_sha256": "ca"}))
    stack = run.manifest.stacks[0]
    fact = state_fact(run, stack)
    assert (fact.whole, fact.backup) == (False, None)
    back_up(run, "local-flux", state(serial=3))
    fact = state_fact(run, stack)
    assert fact.backup is not None
    assert (fact.whole, fact.serial, fact.mark) == (False, 3, Mark("uid-1", "ca"))
    assert decide(collect(run)).restore == ("local-flux",)


def test_records_that_differ_mean_an_interrupted_recovery(run: Run) -> None:
    keep(run, state(uid="uid-old"))
    write_private(run.ws.identity, json.dumps({"uid": "uid-old", "ca_sha256": "ca"}))
    assert collect(run).recorded == Mark("uid-old", "ca")
