"""How a provisioner calls this repository's own Python."""

from __future__ import annotations

from blackstart.errors import ConfigError
from modules.cdktf import LocalExecProvisioner, literal
from modules.place import Place

PYTHON = '"${BLACKSTART_PYTHON:-.venv/bin/python}"'
WITHHELD = {f"TF_VAR_{name}": "" for name in ("age_key", "git_credentials", "k3s_token")}
"""A provisioner's program would inherit terraform's environment, and no secret in it is meant for it (issue 5)."""


def program(place: Place, arguments: str, *, when: str | None = None) -> LocalExecProvisioner:
    """`python -m <arguments>` in the repository's top folder; `when` is `destroy`, or empty for create.

    Raises ConfigError where terraform runs on another machine: nothing of this one is there (issue 8).
    """
    if place.config.state.runs_remotely:
        raise ConfigError(
            f"clusters/{place.cluster}.yaml: `{arguments}` has to run on this machine, and its runs are elsewhere",
            hint="state.cloud.execution: local",
        )
    return LocalExecProvisioner(
        type="local-exec",
        command=literal(f"{PYTHON} -m {arguments}"),
        working_dir=place.relative(place.workspace.root),
        environment=WITHHELD,
        when=when,
    )
