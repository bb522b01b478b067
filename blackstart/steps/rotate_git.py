"""Replaces the Git credentials in the cluster: the new ones are tried before, the old ones work until revoked."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.errors import ConfigError
from blackstart.gates import Outcome, Ready, Snapshot, Waiting, condition
from blackstart.gates.flux import NAMESPACE
from blackstart.progress import StepNote
from blackstart.steps.apply import initialize
from blackstart.steps.run import Run
from blackstart.tools.credentials import git_credentials
from blackstart.tools.git import credentials_environment
from blackstart.waiting import Wait, Watched, wait_for

SECRET = "git-credentials"
REQUESTED = "reconcile.fluxcd.io/requestedAt"


@dataclass(frozen=True, slots=True)
class TryCredentials:
    """Read the remote with the new credentials; nothing has changed when they do not work."""

    name: str = "git"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises ConfigError when there are none to rotate, ToolFailed when the remote refuses them."""
        source = run.config.git
        credentials = git_credentials(source, run.ws.root)
        if credentials is None:
            raise ConfigError(
                "git.auth.kind is none: Flux needs no Git credentials", hint="nothing to rotate; see git.auth"
            )
        with credentials_environment(credentials.data) as env:
            head = run.git.remote_head(source.url, source.branch, env)
        note.text = f"{source.branch} is at {head[:7]}"


@dataclass(frozen=True, slots=True)
class ReplaceCredentials:
    """Secret `git-credentials` anew, then a fetch that proves it."""

    name: str = "credentials"

    def run(self, run: Run, note: StepNote) -> None:
        """The content is not in the state, so no plan shows that it changed: that one Secret is replaced."""
        stack = next(one for one in run.manifest.stacks if one.part in ("flux", "single"))
        terraform = run.terraform(stack)
        initialize(run, stack, terraform)
        address = next(one.address for one in stack.resources() if one.name == SECRET)
        run.applied[stack.id] = terraform.apply(replace=(address,))
        secret = run.cluster().get("Secret", SECRET, NAMESPACE) or {}
        version = str((secret.get("metadata") or {}).get("uid", ""))
        self._fetched_with(run, version)
        run.notes.append("Flux fetches with the new credentials: revoke the old ones at the Git server now")
        note.text = "replaced, fetched with them"

    def _fetched_with(self, run: Run, token: str) -> None:
        cluster = run.cluster()
        cluster.patch("GitRepository", "flux-system", NAMESPACE, {"metadata": {"annotations": {REQUESTED: token}}})

        def fetched(snapshot: Snapshot) -> Outcome:
            source = snapshot.get(("GitRepository", NAMESPACE, "flux-system"), {})
            handled = source.get("status", {}).get("lastHandledReconcileAt") == token
            ready = condition(source, "Ready") if source else {}
            if handled and ready.get("status") == "True":
                return Ready("fetched")
            return Waiting(ready.get("message", "") or "not fetched yet")

        wait = Wait("the Git source", (Watched("GitRepository", NAMESPACE),), run.config.timeouts.flux)
        wait_for(cluster, wait, fetched, lambda why: run.progress.waiting(self.name, why))
