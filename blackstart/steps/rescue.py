"""What `recover` does before it does what `up` does: states kept, mended, made to forget; a cluster started."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError, Unsafe
from blackstart.gates.nodes import nodes
from blackstart.progress import StepNote
from blackstart.providers.readiness import answers
from blackstart.steps.apply import initialize
from blackstart.steps.run import Run
from blackstart.steps.states import back_up, best_backup, push_errored, read_state, read_state_text
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.terraform import forgettable
from blackstart.waiting import Wait, Watched, wait_for


@dataclass(frozen=True, slots=True)
class BackUpStates:
    """Keep every state as it is, before anything touches it."""

    name: str = "backup"

    def run(self, run: Run, note: StepNote) -> None:
        """Into `.blackstart/<cluster>/backups`, mode 0600."""
        kept = 0
        for stack in run.manifest.stacks:
            terraform = run.terraform(stack)
            if run.config.state.backend != "local":
                initialize(run, stack, terraform)
            text = read_state_text(run, stack, terraform)
            back_up(run, stack.id, text)
            kept += bool(text.strip())
        note.text = f"{kept} states kept in {run.ws.backups.relative_to(run.ws.root)}"


@dataclass(frozen=True, slots=True)
class RestoreStates:
    """Put a whole backup in the place of a state that is not whole; without one the state counts as lost."""

    stacks: tuple[str, ...]
    name: str = "states"

    def run(self, run: Run, note: StepNote) -> None:
        """The broken one is among the backups already. What no backup knows is adopted later."""
        if run.config.state.backend != "local":
            raise Unsafe(
                f"the state of {', '.join(self.stacks)} is not whole, and it is kept elsewhere",
                hint="restore an older version of it there (its backend keeps a history), then: blackstart recover",
            )
        for stack in self.stacks:
            state = run.ws.state(stack)
            backup = best_backup(run, stack, state.read_text(errors="replace"))
            if backup is None:
                state.unlink()
                run.progress.warning(f"{stack}: its state was cut off and no backup fits: what exists is adopted")
            else:
                write_private(state, backup.read_text())
                run.progress.warning(f"{stack}: its state was cut off; the backup {backup.name} takes its place")
        note.text = f"{len(self.stacks)} states mended"


@dataclass(frozen=True, slots=True)
class ForgetInCluster:
    """Let the states forget what lived in the cluster that is lost; outside the states nothing is touched."""

    stacks: tuple[str, ...]
    name: str = "forget"

    def run(self, run: Run, note: StepNote) -> None:
        """By provider address alone (issue 4), then the kept identity: killed in between, it is simply done again."""
        count = 0
        for stack in run.manifest.stacks:
            if stack.id in self.stacks or (stack.folder / "errored.tfstate").is_file():
                terraform = run.terraform(stack)
                initialize(run, stack, terraform)
                push_errored(run, stack, terraform)
                state = read_state(run, stack, terraform)
                addresses = forgettable(state) if state else []
                terraform.forget(addresses)
                count += len(addresses)
        run.ws.identity.unlink(missing_ok=True)
        run.ws.kubeconfig.unlink(missing_ok=True)  # the new cluster may have another address: it is fetched anew
        note.text = f"{count} resources forgotten"


MOST = "etcd needs most of its servers: bring one back, or give them all up (docs/k3s.md, Lost hosts)"


@dataclass(frozen=True, slots=True)
class StartCluster:
    """Start a cluster that is stopped, until its nodes are Ready."""

    nodes: bool = True
    name: str = "start"

    def run(self, run: Run, note: StepNote) -> None:
        """Idempotent: what runs already is left alone. Without `nodes` the API is waited for alone."""
        run.provider.start()
        run.fetch_kubeconfig()
        if not self.nodes:
            answers(run.ws.kubeconfig, run.config.timeouts.cluster, hint=MOST)
            note.text = "the API answers"
            return
        cluster = Cluster(run.ws.kubeconfig, timeout=run.config.timeouts.api)
        wait = Wait("nodes", (Watched("Node"),), run.config.timeouts.cluster)
        ready, _ = wait_for(cluster, wait, nodes, lambda why: run.progress.waiting(self.name, why))
        note.text = ready.note


@dataclass(frozen=True, slots=True)
class TakeKubeconfig:
    """Fetch the kubeconfig anew: ours is missing or stale."""

    name: str = "kubeconfig"

    def run(self, run: Run, note: StepNote) -> None:
        """From the provider. A stale one would lead nowhere, or to somebody else."""
        try:
            run.fetch_kubeconfig()
        except BlackstartError as error:
            note.skipped = True
            note.text = error.message
