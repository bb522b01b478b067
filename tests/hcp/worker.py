"""Carries out remote runs by the real terraform, where nothing of the operator's machine is: no HOME, no kubeconfig,
no PATH but the system's, no Python."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.hcp.store import Run, Store

BACKEND = {"terraform": {"backend": {"local": {"path": "terraform.tfstate"}}}}
KINDS = {"create": "additions", "update": "changes", "delete": "destructions"}


class Worker:
    """One thread a run; the runs of a workspace go one after another."""

    def __init__(self, store: Store, terraform: Path) -> None:
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
            with self._store.unlocked:  # as on HCP: a run of a locked workspace stays in the queue
                self._store.unlocked.wait_for(lambda: not workspace.locked_by or run.canceled, timeout=60)
            if run.canceled:
                run.status = "canceled"
                return
            with tempfile.TemporaryDirectory(prefix="hcp-run-") as folder:
                try:
                    self._carry_out(run, Path(folder))
                except subprocess.CalledProcessError:
                    run.status = "errored"
                finally:
                    run.logs = {name: log + b"\x03" for name, log in run.logs.items()}

    def _carry_out(self, run: Run, folder: Path) -> None:
        workspace = self._store.workspaces[run.workspace]
        with tarfile.open(fileobj=io.BytesIO(self._store.versions[run.version]["content"])) as tar:
            tar.extractall(folder, filter="data")
        (folder / "zzz_backend_override.tf.json").write_text(json.dumps(BACKEND))
        if workspace.states:
            (folder / "terraform.tfstate").write_bytes(workspace.states[-1]["raw"])
        run.status = "planning"
        self._call(run, folder, "plan", "init", "-input=false", "-no-color")
        flags = [f"-replace={one}" for one in run.options.get("replace-addrs") or ()]
        flags += ["-destroy"] if run.options.get("is-destroy") else []
        self._call(run, folder, "plan", "plan", "-input=false", "-no-color", "-out=plan", *flags)
        run.plan = json.loads(self._call(run, folder, "", "show", "-json", "plan"))
        self._count(run)
        if not run.counts or run.options.get("plan-only"):
            run.status = "planned_and_finished"
            return
        run.status = "planned"
        if not run.options.get("auto-apply"):
            run.decided.wait()
        if run.canceled:
            run.status = "discarded"
            return
        run.status = "applying"
        try:
            self._call(run, folder, "apply", "apply", "-input=false", "-no-color", "plan")
        finally:
            self._keep_state(run, (folder / "terraform.tfstate").read_bytes())
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
            if phase:
                run.logs[phase] += line
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, args)
        return said

    def _environment(self, run: Run) -> dict[str, str]:
        """Only what the workspace says: its variables, those of the run, and a PATH without anything of ours."""
        env = {"PATH": "/usr/bin:/bin", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
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

    def _keep_state(self, run: Run, raw: bytes) -> None:
        with self._store.lock:
            data, workspace = json.loads(raw), self._store.workspaces[run.workspace]
            identifier, md5 = self._store.new("sv"), hashlib.md5(raw).hexdigest()
            kept = {"id": identifier, "serial": data["serial"], "lineage": data["lineage"], "md5": md5, "raw": raw}
            workspace.states.append(kept)
