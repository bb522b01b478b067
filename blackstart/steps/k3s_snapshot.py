"""A cluster of k3s that is lost begins again with a snapshot of etcd (issue 7)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blackstart.config.model import K3s
from blackstart.errors import ConfigError, Unsafe
from blackstart.keys import k3s_token
from blackstart.progress import StepNote
from blackstart.providers.k3s import K3sProvider
from blackstart.steps.run import Run

UPLOAD_SECONDS = 1800.0
ZIP = b"PK\x03\x04"
"""How the snapshots begin that k3s has compressed (`etcd-snapshot-compress`)."""


@dataclass(frozen=True, slots=True)
class LaySnapshot:
    """Copy the snapshot of etcd to the first server, which begins with it; the others join anew."""

    file: Path
    name: str = "snapshot"

    def run(self, run: Run, note: StepNote) -> None:
        """The server's join finds it there, however often that is begun. Raises ToolFailed."""
        host = K3sProvider(run.ws, run.config).lay(self.file, UPLOAD_SECONDS)
        note.text = f"{self.file.name} lies on {host}"


def require_restorable(run: Run, file: Path, *, lost: bool) -> None:
    """That a snapshot of etcd may take the place of the cluster: asked before anything changes.

    Raises ConfigError for a cluster of another provider or a file that is no snapshot, KeyProblem without the token
    that opens it, Unsafe unless the cluster is `lost`.
    """
    if not isinstance(run.config.cluster, K3s):
        raise ConfigError(
            f"--etcd-snapshot is for clusters of provider k3s; {run.ws.cluster} is {run.config.provider}",
            hint="blackstart recover, without it",
        )
    if not lost:
        raise Unsafe(
            "the cluster is there: a snapshot of etcd takes the place of one that is lost, never of one that exists",
            hint="blackstart recover, without it; if what it holds is worth nothing: k3s-uninstall.sh on every server",
        )
    with file.open("rb") as content:
        begins = content.read(len(ZIP))
    if not begins or begins == ZIP:
        what, hint = ("packed", f"unzip {file}, then with what was in it") if begins else ("empty", "take another one")
        raise ConfigError(f"{file} is {what}: it is no snapshot of etcd", hint=hint)
    k3s_token.read(run.ws, run.key)
