"""A stack's workspace on HCP Terraform: it must be there, be as the cluster file says, and not be held."""

from __future__ import annotations

from blackstart.errors import ConfigError
from blackstart.steps.run import Run
from blackstart.synth import Stack


def require_workspace(run: Run, stack: Stack) -> None:
    """Raises ConfigError naming `cloud setup`.

    terraform would make a missing workspace itself, but with the organization's execution mode: remote as a rule.
    """
    settings = run.config.state.cloud
    if settings is None:
        return
    where = f"workspace {settings.organization}/{stack.id} on {settings.hostname}"
    hint = f"blackstart --cluster {run.ws.cluster} cloud setup"
    found = run.cloud.find(f"organizations/{settings.organization}/workspaces/{stack.id}")
    if found is None:
        raise ConfigError(f"{where}: it is not there, or the token may not see it", hint=hint)
    mode = found.attributes.get("execution-mode")
    if mode != settings.execution:
        raise ConfigError(
            f"{where}: its execution mode is {mode}, the cluster file says {settings.execution}", hint=hint
        )


def workspace_lock(run: Run, stack: Stack) -> str:
    """Who holds the workspace and how it is released; blank when nobody does, and without a workspace."""
    settings = run.config.state.cloud
    if settings is None:
        return ""
    found = run.cloud.get(f"organizations/{settings.organization}/workspaces/{stack.id}")
    if not found.attributes.get("locked"):
        return ""
    why = found.attributes.get("locked-reason") or "no reason given"
    page = f"https://{settings.hostname}/app/{settings.organization}/workspaces/{stack.id}"
    return f"{why}; if its holder is dead, unlock it: {page}"
