"""What every cluster module gives back, and the steps that most share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.cdktf import DataResource, TerraformStack
from modules.place import Place
from modules.program import program


@dataclass(frozen=True, slots=True)
class Cluster:
    """`created` is the resource that made the cluster, `ready` the one that waited for its API and nodes."""

    created: DataResource
    ready: DataResource


def made_by(stack: TerraformStack, place: Place, module: str, size: Mapping[str, str]) -> Cluster:
    """A cluster that the program `module` makes, waits for and deletes: `python -m <module> <verb> --cluster NAME`.

    Creating and waiting are two resources, or a failed wait would taint the cluster and the next apply replace it
    (design, section 6). Nothing replaces `created`: that takes an explicit command. When `size` changes the
    waiting runs again.
    """
    create, wait, delete = (f"{module} {verb} --cluster {place.cluster}" for verb in ("create", "wait", "delete"))
    created = DataResource(
        stack,
        "cluster",
        input={"name": place.cluster},
        provisioners=[program(place, create), program(place, delete, when="destroy")],
    )
    ready = DataResource(
        stack,
        "ready",
        triggers_replace=size,
        provisioners=[program(place, wait)],
        depends_on=[created],
    )
    return Cluster(created, ready)
