"""The server token of a k3s cluster, before its stack."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.keys import k3s_token
from blackstart.progress import StepNote
from blackstart.providers.k3s import K3sProvider
from blackstart.steps.run import Run
from blackstart.tools.gitindex import Index


@dataclass(frozen=True, slots=True)
class KeepToken:
    """The server token: made once, taken back from a cluster that exists, never overwritten."""

    name: str = "k3s-token"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises ToolFailed when there is no file and not all servers answer: one of them may have a token."""
        path = k3s_token.file_of(run.ws)
        name = f"keys/{path.name}"
        if path.is_file():
            k3s_token.read(run.ws, run.key)
            note.text = f"in {name}"
        else:
            note.text = self._make(run, name)
        if name not in Index(run.ws.root).tracked(name):
            run.progress.warning(
                f"{name} is not in Git yet: without it snapshots of etcd are worthless; "
                f"git add {name} && git commit -m 'Token of {run.ws.cluster}' {name}"
            )

    def _make(self, run: Run, name: str) -> str:
        cluster = K3sProvider(run.ws, run.config)
        taken = cluster.token() if cluster.exists().exists else ""
        k3s_token.make(run.ws, run.config, taken)
        return f"{'taken from the cluster into' if taken else 'made:'} {name}"
