"""Third stack: Flux, and what it deploys."""

from __future__ import annotations

from modules.cdktf import TerraformStack
from modules.flux_install import FluxInstall
from modules.flux_sync import FluxSync
from modules.identity import Identity
from modules.place import Place
from modules.providers import access, use_helm, use_kubernetes


def flux(stack: TerraformStack, place: Place) -> None:
    """Flux in the cluster whose identity is recorded; namespace and key are there by then, by name."""
    use_kubernetes(stack, place, access(place))
    use_helm(stack, place, access(place))
    installed = FluxInstall(stack, place, after=[Identity(stack, place).guard])
    FluxSync(stack, place, after=[installed.controllers])
