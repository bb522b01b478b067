"""Carries out remote runs by the real terraform, where nothing of the operator's machine is: no HOME, no kubeconfig,
no PATH but the system's, no Python."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any

from blackstart import toolchain
from tests.hcp import stand_in
from tests.hcp.store import Run, Store, Workspace

BACKEND = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
KINDS = {"create": "additions", "update": "changes", "delete": "destructions"}
REGISTRY = bool(os.environ.get("BLACKSTART_REGISTRY_MIRROR"))
LONGEST = 300.0  # seconds that a run waits for a lock, an agent or a confirmation


class Died(Exception):
    """The machine that carried a run out is gone."""


class Worker:
    """One thread a run; the runs of a workspace go one after another.

    It dies, without a last word, before the log's line that holds `dies_at`; what was made is in no state then.
    """

    def __init__(self, store: Store, terraform: Path) -> None:
        self.dies_at = ""
        self.died = threading.Event()
        self._store = store
        self._terraform = terraform
        self._queues: dict[str, threading.Lock] = {}

    def start(self, run: Run) -> None:
        """Begin, or wait for the runs before it; with a script nothing is carried out."""
        if not run.script:
            threading.Thread(target=self._work, args=(run,), daemon=True).start()

    def _work(self, run: Run) -> None:
        turn = self._queues.setdefault(run.workspace, threading.Lock())
        with turn:
            workspace = self._store.workspaces[run.workspace]
            with self._store.changed:  # as on HCP: a run of a locked workspace, or without an agent, stays in the queue
                self._store.changed.wait_for(lambda: self._may_begin(run, workspace), timeout=LONGEST)
            if run.canceled:
                run.status = "canceled"
                return
            with tempfile.TemporaryDirectory(prefix="hcp-run-") as folder:
                try:
                    self._carry_out(run, Path(folder))
                except (subprocess.CalledProcessError, Died):
                    run.status = "errored"
                finally:
                    run.logs = {name: log + b"\x03" for name, log in run.logs.items()}
                    self._store.save()
                    run.over.set()

    def _may_begin(self, run: Run, workspace: Workspace) -> bool:
        served = workspace.attributes["execution-mode"] != "agent" or workspace.pool in self._store.agents
        run.status = "pending" if workspace.locked_by or served else "plan_queued"
        return run.canceled or (served and not workspace.locked_by)

    def _carry_out(self, run: Run, folder: Path) -> None:
        folder = self._unpack(run, folder)
        run.status = "planning"
        self._call(run, folder, "plan", "init", "-input=false", "-no-color")
        replaced = run.options.get("replace-addrs") or ()
        flags = [f"-replace={one if REGISTRY else stand_in.older(one)}" for one in replaced]
        flags += ["-destroy"] if run.options.get("is-destroy") else []
        self._call(run, folder, "plan", "plan", "-input=false", "-no-color", "-out=plan", *flags)
        run.plan = _redacted(json.loads(_shown(self._call(run, folder, "", "show", "-json", "plan"))))
        self._count(run)
        if not run.counts or run.options.get("plan-only"):
            run.status = "planned_and_finished"
            return
        run.status = "planned"
        if not run.options.get("auto-apply"):
            run.decided.wait(LONGEST)
        if run.canceled:
            run.status = "discarded"
            return
        self._apply(run, folder)

    def _unpack(self, run: Run, whole: Path) -> Path:
        """The configuration; its folder is the workspace's working directory, with the newest state beside it."""
        workspace = self._store.workspaces[run.workspace]
        with tarfile.open(fileobj=io.BytesIO(self._store.versions[run.version]["content"])) as tar:
            tar.extractall(whole, filter="data")
        folder = whole / workspace.attributes.get("working-directory", "")
        (folder / "zzz_backend_override.tf.json").write_text(json.dumps(BACKEND))
        if workspace.states:
            raw = workspace.states[-1]["raw"].decode()
            (folder / "terraform.tfstate").write_text(raw if REGISTRY else stand_in.older(raw))
        if not REGISTRY:
            stand_in.translate(folder)
        return folder

    def _apply(self, run: Run, folder: Path) -> None:
        run.status = "applying"
        try:
            self._call(run, folder, "apply", "apply", "-input=false", "-no-color", "plan")
        except subprocess.CalledProcessError:
            self._keep_state(run, folder / "terraform.tfstate")
            raise
        self._keep_state(run, folder / "terraform.tfstate")
        run.status = "applied"

    def _call(self, run: Run, folder: Path, phase: str, *args: str) -> bytes:
        process = subprocess.Popen(
            [self._terraform, *args],
            cwd=folder,
            env=self._environment(run),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = b""
        for line in process.stdout or ():
            said += line
            if self.dies_at and self.dies_at in line.decode():
                self.dies_at = ""
                process.kill()
                process.wait()
                self.died.set()
                raise Died
            if phase:
                run.logs[phase] += _shown(line)
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, args)
        return said

    def _environment(self, run: Run) -> dict[str, str]:
        """Only what the workspace says: its variables, those of the run, and a PATH without anything of ours."""
        providers = toolchain.terraformrc("registry" if REGISTRY else "builtin")
        env = {"PATH": "/usr/bin:/bin", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        env |= {"TF_CLI_CONFIG_FILE": str(providers), "KUBE_LOAD_CONFIG_FILE": "false"}
        for variable in self._store.workspaces[run.workspace].variables.values():
            prefix = "TF_VAR_" if variable["category"] == "terraform" else ""
            env[prefix + variable["key"]] = variable["value"]
        env.update({f"TF_VAR_{one['key']}": json.loads(one["value"]) for one in run.options.get("variables") or ()})
        return env

    def _count(self, run: Run) -> None:
        changes: list[dict[str, Any]] = [one["change"] for one in run.plan.get("resource_changes") or ()]
        for change in changes:
            for action in change["actions"]:
                if action in KINDS:
                    run.counts[KINDS[action]] = run.counts.get(KINDS[action], 0) + 1
            if change.get("importing"):
                run.counts["imports"] = run.counts.get("imports", 0) + 1

    def _keep_state(self, run: Run, file: Path) -> None:
        if not file.is_file():
            return
        raw = file.read_bytes() if REGISTRY else stand_in.without_content(file.read_bytes())
        with self._store.lock:
            data, workspace = json.loads(raw), self._store.workspaces[run.workspace]
            identifier, md5 = self._store.new("sv"), hashlib.md5(raw).hexdigest()
            kept = {"id": identifier, "serial": data["serial"], "lineage": data["lineage"], "md5": md5, "raw": raw}
            workspace.states.append(kept)


def _redacted(plan: dict[str, Any]) -> dict[str, Any]:
    """What changes, and no value: those of variables stand in a plan too."""
    changes = [
        {"address": one["address"], "change": {name: one["change"].get(name) for name in ("actions", "importing")}}
        for one in plan.get("resource_changes") or ()
    ]
    return {"resource_changes": changes}


def _shown(text: bytes) -> bytes:
    return text if REGISTRY else stand_in.newer(text.decode()).encode()
