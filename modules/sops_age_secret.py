"""The Age key in the cluster, before Flux can look at an encrypted file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from modules.cdktf import (
    Construct,
    ITerraformDependable,
    Namespace,
    NamespaceV1,
    Secret,
    SecretV1,
    TerraformStack,
    TerraformVariable,
)
from modules.place import LABELS, NAMESPACE, Place

NAME = "sops-age"
DATA_KEY = "age.agekey"


class SopsAgeSecret(Construct):
    """Namespace `flux-system` and in it Secret `sops-age`, from variable `age_key`."""

    def __init__(self, stack: TerraformStack, place: Place, after: Sequence[ITerraformDependable]) -> None:
        super().__init__(stack, "sops-age-secret")
        namespace = Namespace if place.builtin else NamespaceV1
        self.namespace = namespace(
            stack, NAMESPACE, metadata={"name": NAMESPACE, "labels": LABELS}, depends_on=list(after)
        )
        key = secret_variable(stack, place, "age_key", "the Age private key that opens this repository's secrets")
        self.secret = secret(
            stack,
            place,
            NAME,
            data={DATA_KEY: f"${{trimspace({key.fqn})}}"},
            revision=revision(*sorted(place.config.sops.recipients)),
            after=[self.namespace],
        )


def secret(
    stack: TerraformStack,
    place: Place,
    name: str,
    *,
    data: dict[str, str] | str,
    revision: int,
    after: Sequence[ITerraformDependable],
) -> Secret | SecretV1:
    """A Secret that Flux reacts to; with the modern pair its content is in no state and no plan.

    `data` is a mapping, or an expression that gives one. Terraform writes it when `revision` (at least 1) changes.
    """
    labels = {**LABELS, "reconcile.fluxcd.io/watch": "Enabled"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    if place.builtin:
        plain = Secret(stack, name, metadata=metadata, type="Opaque", depends_on=list(after))
        plain.add_override("data", data)
        return plain
    write_only = SecretV1(
        stack, name, metadata=metadata, type="Opaque", data_wo_revision=revision, depends_on=list(after)
    )
    write_only.add_override("data_wo", data)
    return write_only


def secret_variable(stack: TerraformStack, place: Place, name: str, description: str) -> TerraformVariable:
    """A variable for `TF_VAR_<name>`; with the modern pair it is ephemeral: in no state and no plan file."""
    variable = TerraformVariable(stack, name, type="string", description=description, sensitive=True, nullable=False)
    if not place.builtin:
        variable.add_override("ephemeral", True)
    return variable


def revision(*public: str) -> int:
    """A number that changes when what is public about a secret changes; at least 1, below 2^28."""
    digest = hashlib.sha256("\n".join(public).encode()).hexdigest()
    return int(digest[:7], 16) or 1
