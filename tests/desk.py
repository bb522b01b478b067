"""A desk: a throwaway copy of this repository in which a test works as an operator would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blackstart.config import Workspace, load
from blackstart.drill.bed import free_port
from blackstart.tools.kubernetes import Cluster

PROJECT = Path(__file__).parents[1]
NOT_THE_OPERATORS = ("KUBE", "HELM_", "TF_", "SOPS_", "BLACKSTART_CLUSTER", "GIT_")


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """stdout as one JSON document."""
        return json.loads(self.stdout)

    def events(self) -> list[dict[str, Any]]:
        """stdout as NDJSON."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class Desk:
    """The copy in `root`; `port` is where its commit is served."""

    root: Path
    port: int
    cluster: str = "local"
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def ws(self) -> Workspace:
        """The cluster's folders."""
        return Workspace(self.root, self.cluster)

    def environment(self, **env: str) -> dict[str, str]:
        """An operator's environment without anything that concerns clusters."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_OPERATORS)}
        ours = {
            "BLACKSTART_PYTHON": sys.executable,
            "BLACKSTART_GIT_PORT": str(self.port),
            "PYTHONPATH": str(self.root),
        }
        return {**clean, **ours, **self.extra, **env}

    def run(self, *args: str, env: dict[str, str] | None = None, timeout: float = 600) -> Done:
        """Run `blackstart ARGS` here."""
        argv = [sys.executable, "-m", "blackstart", "--cluster", self.cluster, *args]
        done = subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def good(self, *args: str, env: dict[str, str] | None = None) -> Done:
        """Run a command that must succeed."""
        done = self.run(*args, env=env)
        assert done.code == 0, (
            f"blackstart {' '.join(args)} ended with {done.code}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def git(self, *args: str) -> str:
        """Run git here."""
        who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "t"}
        env = {**os.environ, **who, "GIT_COMMITTER_EMAIL": "t@localhost"}
        done = subprocess.run(["git", *args], cwd=self.root, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        """Commit everything; returns the commit's id."""
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{old!r} not in {path}"
        file.write_text(text.replace(old, new))

    def api(self) -> Cluster:
        """The cluster's API."""
        return Cluster(self.ws.kubeconfig)

    def remove_cluster(self) -> None:
        """End everything of the cluster, however broken it is."""
        argv = [sys.executable, "-m", "blackstart.embedded", "delete", "--cluster", self.cluster]
        subprocess.run(argv, cwd=self.root, env=self.environment(), check=False, timeout=120, capture_output=True)


def lay(root: Path, cluster: str = "local") -> Desk:
    """Copy the project as it is in the work tree (ignored files aside) and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = PROJECT / name
        if source.is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, root / name)
    desk = Desk(root, free_port(), cluster)
    desk.git("init", "--quiet", "--initial-branch=main")
    desk.commit("the project as it is")
    load(root, cluster)
    return desk


def ids_in_states(desk: Desk) -> dict[str, str]:
    """The id of every resource in the local states: another one would be an object made anew."""
    found = {}
    for stack in desk.ws.stack_ids("split"):
        for resource in json.loads(desk.ws.state(stack).read_text())["resources"]:
            address = f"{stack} {resource['mode']} {resource['type']}.{resource['name']}"
            found[address] = str(resource["instances"][0]["attributes"]["id"])
    return found
