"""Which cluster a state belongs to: recorded once, compared at every plan (design, section 6)."""

from __future__ import annotations

from collections.abc import Sequence

from modules.cdktf import (
    Construct,
    DataKubernetesConfigMap,
    DataKubernetesConfigMapV1,
    DataKubernetesNamespace,
    DataKubernetesNamespaceV1,
    DataResource,
    ITerraformDependable,
    Precondition,
    TerraformResourceLifecycle,
    TerraformStack,
)
from modules.place import Place

# When nothing answers, terraform's error names this data source and nothing else of ours.
UNREACHABLE = "this-cluster-else-blackstart-recover"


class Identity(Construct):
    """`guard` fails the plan when the cluster that answers is not the one that was recorded by the first apply.

    kube-system's UID changes with every new etcd, the CA with every new cluster on another machine. The record is a
    `terraform_data` that ignores later changes: a bare data source would be overwritten even by an apply that fails.
    """

    def __init__(self, stack: TerraformStack, place: Place, after: Sequence[ITerraformDependable] = ()) -> None:
        super().__init__(stack, "identity-guard")
        namespace = DataKubernetesNamespace if place.builtin else DataKubernetesNamespaceV1
        config_map = DataKubernetesConfigMap if place.builtin else DataKubernetesConfigMapV1
        system = namespace(stack, UNREACHABLE, metadata={"name": "kube-system"}, depends_on=list(after) or None)
        ca = config_map(
            stack,
            "kube-root-ca",
            metadata={"name": "kube-root-ca.crt", "namespace": "kube-system"},
            depends_on=list(after) or None,
        )
        uid = f"{system.fqn}.metadata[0].uid"
        sha256 = f'sha256({ca.fqn}.data["ca.crt"])'
        record = DataResource(
            stack,
            "identity",
            input={"uid": f"${{{uid}}}", "ca_sha256": f"${{{sha256}}}"},
            lifecycle=TerraformResourceLifecycle(ignore_changes=["input"]),
        )
        same = f"${{{record.fqn}.output.uid == {uid} && {record.fqn}.output.ca_sha256 == {sha256}}}"
        self.guard = DataResource(
            stack,
            "guard",
            lifecycle=TerraformResourceLifecycle(
                precondition=[Precondition(condition=same, error_message=_refusal(place))]
            ),
        )


def _refusal(place: Place) -> str:
    return (
        "The cluster that answers is not the one this state was made for: kube-system's UID or the CA differs from"
        f" the recorded one. Nothing was changed. If your cluster was lost or made anew, run: blackstart --cluster"
        f" {place.cluster} recover"
    )
