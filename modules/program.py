"""How a provisioner calls this repository's own Python."""

from __future__ import annotations

from blackstart.errors import ConfigError
from modules.cdktf import LocalExecProvisioner, literal
from modules.place import Place

PYTHON = '"${BLACKSTART_PYTHON:-.venv/bin/python}"'


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
        when=when,
    )
