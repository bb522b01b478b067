"""Second stack: namespace flux-system and the Age key."""

from __future__ import annotations

from modules.cdktf import TerraformStack
from modules.identity import Identity
from modules.place import Place
from modules.providers import access, use_kubernetes
from modules.sops_age_secret import SopsAgeSecret


def sops_age(stack: TerraformStack, place: Place) -> None:
    """The key, in the cluster whose identity is recorded."""
    use_kubernetes(stack, place, access(place))
    SopsAgeSecret(stack, place, after=[Identity(stack, place).guard])
