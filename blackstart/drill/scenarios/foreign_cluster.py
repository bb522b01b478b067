"""The kubeconfig leads to somebody else's cluster."""

from __future__ import annotations

import json

from blackstart.config.workspace import write_private
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """Another UID and another CA are recorded than those of the cluster that answers."""
    before = {file: file.read_text() for file in _records(bed)}
    for file, text in before.items():
        write_private(file, _foreign(text))

    def mend() -> None:
        for file, text in before.items():
            write_private(file, text)

    return Damage(mend=mend)


def _records(bed: Bed) -> list[object]:
    return [*sorted(bed.ws.states.glob("*.tfstate"))]


def _foreign(text: str) -> str:
    state = json.loads(text)
    for resource in state["resources"]:
        if resource["name"] == "identity":
            for instance in resource["instances"]:
                for side in ("input", "output"):
                    instance["attributes"][side]["value"] = {"uid": "another", "ca_sha256": "another"}
    state["serial"] += 1
    return json.dumps(state)


SCENARIO = Scenario("foreign-cluster", fault, exit_code=8)
