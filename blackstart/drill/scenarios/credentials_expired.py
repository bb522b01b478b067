"""The API answers, but no longer to these credentials: never a proof of loss."""

from __future__ import annotations

from blackstart.config.workspace import write_private
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.embedded.place import Place


def fault(bed: Bed, seed: int) -> Damage:
    """Take the client certificate out of both kubeconfigs; put them back when recovery has refused."""
    files = (bed.ws.kubeconfig, Place(bed.ws).kubeconfig)
    before = {file: file.read_text() for file in files}
    for file, text in before.items():
        kept = [line for line in text.splitlines() if "client-certificate" not in line and "client-key" not in line]
        without = [f"{line}\n    token: expired" if line.strip() == "user:" else line for line in kept]
        write_private(file, "\n".join(without) + "\n")

    def mend() -> None:
        for file, text in before.items():
            write_private(file, text)

    return Damage(mend=mend)


SCENARIO = Scenario("credentials-expired", fault, exit_code=8)
