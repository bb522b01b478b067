"""The last resource of a single stack: the apply fails unless every layer gets Ready (issue 4)."""

from __future__ import annotations

from collections.abc import Sequence

from modules.cdktf import Construct, DataResource, ITerraformDependable, TerraformStack
from modules.place import Place
from modules.program import program


class LayersReady(Construct):
    """Waits, by `blackstart status --wait`, when this cluster is new or what Flux deploys has changed.

    While layers are suspended, until their data is restored, there is nothing to wait for.
    """

    def __init__(
        self,
        stack: TerraformStack,
        place: Place,
        after: Sequence[ITerraformDependable],
        deployed: str,
    ) -> None:
        super().__init__(stack, "layers-ready")
        self.gate = DataResource(
            stack,
            "layers",
            triggers_replace={"cluster": "${terraform_data.identity.id}", "deployed": deployed},
            provisioners=[program(place, f"blackstart --cluster {place.cluster} status --wait")],
            depends_on=list(after),
        )
        self.gate.add_override("count", '${var.suspended == "[]" ? 1 : 0}')
