"""A killed run left its lock files; the process is dead."""

from __future__ import annotations

import json

from blackstart.config.workspace import write_private
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Leave our lock with the record of a process that is no more, and terraform's own beside a state."""
    left = {"pid": 2**22 - 1, "host": "elsewhere", "started": 0.0, "command": "up"}
    write_private(bed.ws.folder / "lock.json", json.dumps(left))
    write_private(bed.ws.lock, "")
    stack = bed.ws.stack_ids("split")[1]
    info = {"ID": "d7e4ab3c-0000-4000-8000-000000000000", "Operation": "OperationTypeApply", "Path": stack}
    write_private(bed.ws.states / f".{stack}.tfstate.lock.info", json.dumps(info))
    return Damage()


SCENARIO = Scenario("lock-left", fault)
