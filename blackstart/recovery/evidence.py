"""Collects the evidence: read only, everything at once, each look bounded (issue 4: 3 s when the API hangs)."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config.model import K3s
from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError
from blackstart.gates import Ready
from blackstart.gates.flux import CONTROLLERS, NAMESPACE
from blackstart.gates.key import key_secret
from blackstart.recovery.facts import ApiFact, Evidence, Mark, ProviderFact, StateFact
from blackstart.recovery.source import git_fact
from blackstart.steps.apply import initialize
from blackstart.steps.cloud import workspace_lock
from blackstart.steps.identity import kept_mark, recorded_mark
from blackstart.steps.run import Run
from blackstart.steps.states import best_backup, read_state_text
from blackstart.synth import Stack
from blackstart.tools.kubernetes import ApiDenied, ApiUnreachable, Cluster
from blackstart.tools.terraform import State, forgettable, parse_state

API_SECONDS = 1.2
LOOK_SECONDS = 2.6
REMOTE_SECONDS = 30.0
HOST_SECONDS = 30.0
"""For what a host has to say, after the seconds in which it has to let us in."""
Found = TypeVar("Found")


def collect(run: Run) -> Evidence:
    """Look at everything. Needs a run whose key, commit and stacks are known; changes nothing."""
    began = time.monotonic()
    provider = _Look(lambda: _provider(run))
    api = _Look(lambda: probe(run, run.ws.kubeconfig))
    states = [_Look(lambda stack=stack: state_fact(run, stack)) for stack in run.manifest.stacks]  # type: ignore[misc]
    deadline = began + LOOK_SECONDS
    slowly = max(deadline, began + _patience(run))
    said, kubeconfig = provider.result(slowly, (ProviderFact(False, proof="gave no answer in time"), ""))
    silent = ApiFact("silent", text=f"no answer in {API_SECONDS:.0f} s")
    answer = _compared(run, api.result(deadline, silent), kubeconfig)
    slow = deadline if run.config.state.backend == "local" else began + REMOTE_SECONDS
    found = tuple(
        look.result(slow, StateFact(stack.id, lock="its backend does not answer in time"))
        for look, stack in zip(states, run.manifest.stacks, strict=True)
    )
    key = f"found ({run.key.where}), opens {run.secrets} of {run.secrets} secrets at {run.commit.short}"
    recorded = _recorded(run, found, answer.live)
    return Evidence(found, said, answer, recorded, key, git_fact(run), time.monotonic() - began)


class _Look:
    """One look in a thread of its own, so that a hanging one holds nobody up."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._found: list[Any] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._look, args=(look,), daemon=True)
        self._thread.start()

    def _look(self, look: Callable[[], Any]) -> None:
        try:
            self._found.append(look())
        except Exception as error:
            self._error.append(error)

    def result(self, deadline: float, otherwise: Found) -> Found:
        """What was found, or `otherwise` when nothing was by `deadline` (of time.monotonic). Raises its error."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._error:
            raise self._error[0]
        return self._found[0] if self._found else otherwise


def _patience(run: Run) -> float:
    """Seconds for the provider: one dead host must not hide what the others say of the cluster."""
    shape = run.config.cluster
    return shape.ssh.timeout + HOST_SECONDS if isinstance(shape, K3s) else LOOK_SECONDS


def _provider(run: Run) -> tuple[ProviderFact, str]:
    """What the provider says, and the kubeconfig that it gives. One that made nothing proves nothing."""
    try:
        said = run.provider.exists()
    except BlackstartError as error:
        return ProviderFact(False, proof=error.message), ""
    known = bool(said.proof) and run.config.provider != "existing"
    fact = ProviderFact(known, said.exists, said.running, said.proof, said.blank)
    if not said.exists:
        return fact, ""
    try:
        return fact, run.provider.kubeconfig()
    except BlackstartError:
        return fact, ""


def probe(run: Run, kubeconfig: Path) -> ApiFact:
    """Ask the API that a kubeconfig names, `API_SECONDS` at most for each answer."""
    if not kubeconfig.is_file():
        return ApiFact("unknown", text="no kubeconfig says where it is")
    cluster = None
    try:
        cluster = Cluster(kubeconfig, timeout=API_SECONDS)
        cluster.version()
        return _asked(run, cluster)
    except ApiDenied as error:
        return ApiFact("denied", cluster.endpoint if cluster else "", error.message)
    except ApiUnreachable as error:
        return ApiFact("refuses" if error.refused else "silent", "", error.message)
    except BlackstartError as error:
        return ApiFact("unknown", text=error.message)


def _asked(run: Run, cluster: Cluster) -> ApiFact:
    try:
        identity = cluster.identity()
        live = Mark(identity.uid, identity.ca_sha256)
    except (ApiDenied, ApiUnreachable):
        raise
    except BlackstartError as error:
        return ApiFact("answers", cluster.endpoint, error.message)
    there = {thing["metadata"]["name"] for thing in cluster.list_all("Deployment", NAMESPACE)}
    count = sum(name in there for name in CONTROLLERS)
    outcome = key_secret(cluster.get("Secret", "sops-age", NAMESPACE), run.key.recipients)
    key = outcome.note if isinstance(outcome, Ready) else outcome.reason
    return ApiFact(
        "answers",
        cluster.endpoint,
        live=live,
        flux=f"{count} of {len(CONTROLLERS)} controllers" if count else "not there",
        key=key,
        key_right=isinstance(outcome, Ready),
    )


def _compared(run: Run, api: ApiFact, given: str) -> ApiFact:
    """The answer, and whether it came from the cluster that the provider made.

    Where our own kubeconfig leads nowhere the provider's is tried, but never after a silence: that is an answer.
    """
    made = bool(given) and run.config.provider != "existing"
    own = run.ws.kubeconfig.read_text() if run.ws.kubeconfig.is_file() else ""
    if given and given != own and api.answer in ("unknown", "refuses", "denied"):
        fresh = run.folder / "kubeconfig"
        write_private(fresh, given)
        try:
            return replace(probe(run, fresh), provider_made=made, from_provider=True)
        finally:
            fresh.unlink()  # the record of a run is kept, and holds no credentials
    return replace(api, provider_made=made and _target(own) == _target(given))


def _target(kubeconfig: str) -> tuple[str, str]:
    """The server and the CA that a kubeconfig names first."""
    try:
        cluster = YAML(typ="safe").load(kubeconfig)["clusters"][0]["cluster"]
        ca = cluster.get("certificate-authority-data") or cluster.get("certificate-authority") or ""
        return str(cluster["server"]), str(ca)
    except (YAMLError, KeyError, IndexError, TypeError):
        return "", ""


def state_fact(run: Run, stack: Stack) -> StateFact:
    """What a stack's state says; a broken one is described by its best backup."""
    terraform, local = run.terraform(stack), run.config.state.backend == "local"
    if not local:
        initialize(run, stack, terraform)
    text = read_state_text(run, stack, terraform)
    seen = local or run.config.state.backend == "cloud"
    lock = _lock(run.ws.state(stack.id)) if local else workspace_lock(run, stack)
    known = StateFact(stack.id, lock=lock, lock_seen=seen)
    try:
        return _described(known, parse_state(text))
    except ValueError:
        backup = best_backup(run, stack.id, text)
        broken = replace(known, exists=True, whole=False, backup=backup)
        return _described(broken, parse_state(backup.read_text())) if backup else broken


def _described(known: StateFact, state: State | None) -> StateFact:
    if state is None:
        return known
    mark = recorded_mark(state)
    return replace(
        known,
        exists=True,
        serial=state.serial,
        lineage=state.lineage,
        forgettable=tuple(forgettable(state)),
        mark=Mark(*mark) if mark else None,
    )


def _recorded(run: Run, states: tuple[StateFact, ...], live: Mark | None) -> Mark | None:
    """The recorded identity; where records differ (a recovery was killed), one that is not the live one."""
    marks = [one.mark for one in states if one.mark]
    kept = kept_mark(run.ws)
    marks += [Mark(*kept)] if kept else []
    return next((mark for mark in marks if mark != live), marks[0] if marks else None)


def _lock(state: Path) -> str:
    """Who holds a local state now: terraform locks the file itself, and that lock dies with it (facts/terraform.md,
    11); blank when nobody does."""
    try:
        with state.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_UN)
        return ""
    except FileNotFoundError:
        return ""
    except OSError:
        info = state.with_name(f".{state.name}.lock.info")
        try:
            said = json.loads(info.read_text())
            return f"{said['Who']}, {said['Operation']}, since {said['Created']}"
        except (OSError, ValueError, KeyError):
            return "a process that does not say who it is"
