"""A bad commit breaks a layer; then comes the fix."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.errors import ToolFailed
from blackstart.tools.git import Git

BAD = """apiVersion: v1
kind: ConfigMap
metadata:
  name: Not_A_Valid_Name
  namespace: default
"""


def fault(bed: Bed, seed: int) -> Damage:
    """Publish a commit that the API refuses, wait until Flux says so, then commit the fix."""
    layer = "gitops/flux/infrastructure/certs"
    listing = bed.repository / layer / "kustomization.yaml"
    good = listing.read_text()
    (bed.repository / layer / "broken.yaml").write_text(BAD)
    bed.commit_file(f"{layer}/kustomization.yaml", good.replace("resources:", "resources:\n  - broken.yaml"))
    done = bed.blackstart("up", env={"BLACKSTART_LAYERS_TIMEOUT": "20"})
    if done.code not in (5, 6, 2):
        raise ToolFailed(f"up did not see the broken layer (exit {done.code})", hint=f"see {bed.log}")
    (bed.repository / layer / "broken.yaml").unlink()
    bed.commit_file(f"{layer}/kustomization.yaml", good)
    return Damage() if Git(bed.repository).head() else Damage()


SCENARIO = Scenario("layer-broken", fault)
