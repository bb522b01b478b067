"""Where a stack's state is kept."""

from __future__ import annotations

from typing import Any

from blackstart.config.backends import STACK
from blackstart.config.model import Cloud
from blackstart.config.workspace import make_private
from modules.cdktf import CloudBackend, HttpBackend, LocalBackend, NamedCloudWorkspace, S3Backend, TerraformStack
from modules.place import Place


def keep_state(stack: TerraformStack, stack_id: str, place: Place) -> None:
    """Give `stack` the backend of the cluster file (issue 8).

    s3 and http are terraform's own settings, passed through, with `{stack}` replaced by the stack's id.
    """
    state = place.config.state
    if state.backend == "local":
        _local(stack, stack_id, place)
    elif state.backend == "cloud":
        assert state.cloud is not None  # the cluster file was validated
        _cloud(stack, stack_id, state.cloud)
    else:
        _own(stack, stack_id, place)


def _local(stack: TerraformStack, stack_id: str, place: Place) -> None:
    make_private(place.workspace.states)
    LocalBackend(stack, path=place.relative(place.workspace.state(stack_id)))


def _cloud(stack: TerraformStack, stack_id: str, cloud: Cloud) -> None:
    """One workspace a stack. The token comes from terraform's own places, and never here."""
    workspace = NamedCloudWorkspace(stack_id, cloud.project)
    CloudBackend(stack, hostname=cloud.hostname, organization=cloud.organization, workspaces=workspace)


def _own(stack: TerraformStack, stack_id: str, place: Place) -> None:
    """The class only says which backend it is: it knows fewer settings than terraform, which are laid over it."""
    state = place.config.state
    settings: dict[str, Any] = {"key": f"{place.cluster}/{STACK}.tfstate", **state.s3}
    if state.backend == "s3":
        S3Backend(stack, bucket="", key="")
    else:
        settings = dict(state.http)
        HttpBackend(stack, address="")
    filled = {name: _filled(value, stack_id) for name, value in settings.items()}
    stack.add_override(f"terraform.backend.{state.backend}", filled)


def _filled(value: Any, stack_id: str) -> Any:
    return value.replace(STACK, stack_id) if isinstance(value, str) else value
