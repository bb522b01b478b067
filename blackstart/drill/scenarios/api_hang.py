"""The API accepts connections and never answers: maybe only the network, so nothing may be done."""

from __future__ import annotations

import signal

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded import processes
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """Stop the API server's process; go on with it when recovery has refused."""
    server = next(one for one in processes.running(Place(bed.ws)) if "kube-apiserver" in one.exe())
    server.send_signal(signal.SIGSTOP)
    return Damage(mend=lambda: server.send_signal(signal.SIGCONT))


SCENARIO = Scenario("api-hang", fault, exit_code=8)
