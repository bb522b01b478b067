"""Where a stack's state is kept."""

from __future__ import annotations

from blackstart.config.workspace import make_private
from modules.cdktf import LocalBackend, TerraformStack
from modules.place import Place


def keep_state(stack: TerraformStack, stack_id: str, place: Place) -> None:
    """Give `stack` the backend of the cluster file. Local states lie in `.blackstart/<cluster>/states`, mode 0700."""
    states = place.workspace.states
    make_private(states)
    LocalBackend(stack, path=place.relative(place.workspace.state(stack_id)))
