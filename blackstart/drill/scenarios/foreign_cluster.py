"""The kubeconfig leads to somebody else's cluster, and nothing proves that it is ours."""

from __future__ import annotations

import shutil
from dataclasses import replace

from blackstart.config.workspace import write_private
from blackstart.drill.bed import Bed, free_port
from blackstart.drill.scenario import Damage, Scenario
from blackstart.errors import ToolFailed
from blackstart.gates import Object


def fault(bed: Bed, seed: int) -> Damage:
    """Delete ours; another cluster answers under its kubeconfig. It must stay as it is."""
    bed.embedded("delete")
    other = replace(bed, folder=bed.folder / "other", port=free_port(), extra={})
    shutil.copytree(bed.picture, other.repository, ignore=shutil.ignore_patterns(".blackstart"))
    other.embedded("create")
    before = _objects(other)
    write_private(bed.ws.kubeconfig, other.ws.kubeconfig.read_text())

    def mend() -> None:
        after = _objects(other)
        other.remove()
        bed.restore()
        if after != before:
            raise ToolFailed("the other cluster was changed", hint=f"see {bed.log}")

    return Damage(mend=mend)


def _objects(bed: Bed) -> list[Object]:
    """What somebody who is careless would have left: namespaces, Secrets, Deployments."""
    api = bed.api()
    return [thing["metadata"]["uid"] for kind in ("Namespace", "Secret", "Deployment") for thing in api.list_all(kind)]


SCENARIO = Scenario("foreign-cluster", fault, exit_code=8)
