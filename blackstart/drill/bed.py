"""The bed of a drill: a clone of the repository, an embedded cluster in it, a picture of it when Ready."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from blackstart.config import Workspace, load
from blackstart.config.load import merge
from blackstart.embedded import lifecycle, processes
from blackstart.embedded.place import Place
from blackstart.embedded.ports import is_free
from blackstart.errors import ToolFailed
from blackstart.tools.git import Commit, Git
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.process import Command, Completed, run

PACKAGE = Path(__file__).parents[2]
MARKER = "blackstart-drill-marker"
LIMIT = 900.0
"""Seconds after which a command of a drill is ended."""
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])
"""
PORTS = range(30_000, 32_768)
"""Between those that a cluster's name gives (config/ports.py) and those of outgoing connections (ip(7))."""
ENDS = {"stop": lifecycle.stop, "delete": lifecycle.delete}
KEYS = ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD")
_claims: list[socket.socket] = []


@dataclass(slots=True)
class Bed:
    """A folder that holds the clone (`repository`) and the picture of its Ready state; removed at the end."""

    folder: Path
    cluster: str
    commit: Commit
    port: int
    log: Path
    extra: dict[str, str] = field(default_factory=dict, repr=False)
    pods: set[str] = field(default_factory=set, repr=False)

    @property
    def repository(self) -> Path:
        """The clone."""
        return self.folder / "repository"

    @property
    def picture(self) -> Path:
        """The clone as it was when its cluster was Ready, and stopped."""
        return self.folder / "picture"

    @property
    def ws(self) -> Workspace:
        """The cluster's folders."""
        return Workspace(self.repository, self.cluster)

    def api(self) -> Cluster:
        """The cluster's API."""
        return Cluster(self.ws.kubeconfig)

    def blackstart(self, *args: str, env: Mapping[str, str] | None = None, largest_file: int = 0) -> Completed:
        """Run `blackstart ARGS` in the clone to its end, whatever its exit code; files end at `largest_file` bytes."""
        argv = [sys.executable, "-m", "blackstart", "--cluster", self.cluster, *args]
        limited = [sys.executable, "-c", LIMITED, str(largest_file), *argv]
        return self._run(limited if largest_file else argv, env or {})

    def good(self, *args: str) -> Completed:
        """Run a command that must succeed. Raises ToolFailed with its last words."""
        done = self.blackstart(*args)
        if done.code != 0:
            raise ToolFailed(f"blackstart {args[0]} ended with {done.code}: {last_words(done)}", hint=f"see {self.log}")
        return done

    def embedded(self, action: str) -> None:
        """create, start, stop or delete the cluster beside blackstart's back."""
        if action in ENDS:
            ENDS[action](self.ws)
            return
        argv = [sys.executable, "-m", "blackstart.embedded", action, "--cluster", self.cluster]
        done = self._run(argv, {})
        if done.code != 0:
            raise ToolFailed(f"embedded {action} ended with {done.code}: {last_words(done)}", hint=f"see {self.log}")

    def environment(self) -> dict[str, str]:
        """What blackstart gets here: this program's own code, a port of its own, the operator's key."""
        keys = {name: os.environ[name] for name in KEYS if name in os.environ}
        code = f"{self.repository}{os.pathsep}{PACKAGE}"
        ours = {"PYTHONPATH": code, "BLACKSTART_PYTHON": sys.executable, "BLACKSTART_GIT_PORT": str(self.port)}
        return {**keys, **ours, "BLACKSTART_CLUSTER": self.cluster, **self.extra}

    def mark(self) -> None:
        """Put the marker into the cluster: kept or gone, it tells what became of the data."""
        self.api().create("ConfigMap", {"metadata": {"name": MARKER, "namespace": "default"}, "data": {"here": "yes"}})

    def marked(self) -> bool:
        """Whether the marker is there."""
        return self.api().get("ConfigMap", MARKER, "default") is not None

    def make_ready(self) -> None:
        """Bring the cluster up, mark it, take the picture that each scenario begins from."""
        self.good("up")
        self.mark()
        self.pods = self.workloads()
        self.take_picture()

    def workloads(self) -> set[str]:
        """The UIDs of all pods but Flux's own."""
        pods = [pod["metadata"] for pod in self.api().list_all("Pod")]
        return {pod["uid"] for pod in pods if pod["namespace"] != "flux-system"}

    def take_picture(self) -> None:
        """Stop the cluster and copy everything; `restore` comes back to this moment."""
        self.embedded("stop")
        copy(self.repository, self.picture)

    def restore(self, *, start: bool = True) -> None:
        """The clone and its cluster as they were on the picture; with `start` the cluster runs."""
        processes.end(Place(self.ws), keep_data=False)
        shutil.rmtree(self.repository)
        copy(self.picture, self.repository)
        if start:
            self.embedded("start")

    def empty(self) -> None:
        """The clone as it came from Git: no cluster, no state, nothing local."""
        self.embedded("delete")
        shutil.rmtree(self.ws.folder, ignore_errors=True)

    def commit_file(self, path: str, text: str) -> str:
        """Write a file of the clone and commit it; returns the new commit's id."""
        (self.repository / path).write_text(text)
        self._git("add", "-A")
        self._git("commit", "--quiet", "--no-verify", "-m", f"drill: {path}")
        return Git(self.repository).head().sha

    def remove(self) -> None:
        """End the cluster and remove the folder."""
        self.embedded("delete")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, argv: list[str], env: Mapping[str, str]) -> Completed:
        environment = {**self.environment(), **env}
        return run(Command(argv, cwd=self.repository, env=environment, log=self.log, timeout=LIMIT), check=False)

    def _git(self, *args: str) -> None:
        who = {f"GIT_{role}_{part}": "drill" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        run(Command(["git", *args], cwd=self.repository, env=who))


def copy(source: Path, target: Path) -> None:
    """Copy a folder without the sockets of programs that had to be killed: they can not be copied."""

    def sockets(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if (Path(folder) / name).is_socket()}

    shutil.copytree(source, target, symlinks=True, ignore=sockets)


def lay(root: Path, cluster: str, ref: str, log: Path) -> Bed:
    """Clone the repository at `ref` into a throwaway folder, and make its cluster an embedded one."""
    commit = Git(root).resolve(ref)
    bed = Bed(Path(tempfile.mkdtemp(prefix="blackstart-drill-")), cluster, commit, free_port(), log)
    run(Command(["git", "clone", "--quiet", "--no-local", str(root), str(bed.repository)]))
    run(Command(["git", "checkout", "--quiet", "-B", "drill", commit.sha], cwd=bed.repository))
    _bring_keys(root, bed)
    _make_embedded(bed)
    return bed


def _bring_keys(root: Path, bed: Bed) -> None:
    for name in (f"{bed.cluster}.agekey", f"{bed.cluster}.agekey.age"):
        source, target = root / "keys" / name, bed.repository / "keys" / name
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(source.read_bytes())


def _make_embedded(bed: Bed) -> None:
    """A cluster of another provider is rehearsed on an embedded one, from this very commit."""
    config = load(bed.repository, bed.cluster)
    if config.provider == "embedded" and config.git.is_worktree:
        return
    path = bed.repository / "clusters" / f"{bed.cluster}.yaml"
    yaml = YAML()
    data: dict[str, Any] = yaml.load(path.read_text())
    data["cluster"] = {"provider": "embedded"}
    data.pop("state", None)
    data["git"] = {"url": "worktree", "branch": config.git.branch, "path": config.git.path}
    with path.open("w") as file:
        yaml.dump(merge(data, {"providers": "builtin"}), file)
    bed.commit_file("DRILL", "rehearsed on an embedded cluster\n")
    bed.commit = Git(bed.repository).head()


def last_words(done: Completed) -> str:
    """The line that says why, out of a command's output."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("✘")]
    return (said or lines or ["no output"])[-1].removeprefix("✘ ")


def free_port() -> int:
    """A loopback port that nothing listens on, and that no other process that asks here gets while this one lives.

    The claim is an abstract socket (unix(7)): it leaves no file, and ends with its process. Raises ToolFailed.
    """
    for port in random.sample(PORTS, len(PORTS)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0blackstart-port-{port}")
        except OSError:
            claim.close()
            continue
        if is_free(port):
            _claims.append(claim)
            return port
        claim.close()
    raise ToolFailed(f"no port is free between {PORTS[0]} and {PORTS[-1]}", hint="see who listens there: ss -ltnp")
