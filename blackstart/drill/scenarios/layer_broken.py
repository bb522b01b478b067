"""A bad commit breaks a layer; then comes the fix."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario
from blackstart.errors import ToolFailed

LAYER = "gitops/flux/infrastructure/certs"
BAD = """apiVersion: v1
kind: ConfigMap
metadata:
  name: Not_A_Valid_Name
  namespace: default
"""


def fault(bed: Bed, seed: int) -> Damage:
    """Deploy a commit that the API refuses, see it fail, then commit the fix."""
    listing = bed.repository / LAYER / "kustomization.yaml"
    settings = bed.repository / "clusters" / f"{bed.cluster}.yaml"
    good, patient = listing.read_text(), settings.read_text()
    settings.write_text(f"{patient}\ntimeouts: {{layers: 15}}\n")
    (listing.parent / "broken.yaml").write_text(BAD)
    bed.commit_file(f"{LAYER}/kustomization.yaml", good.replace("resources:", "resources:\n  - broken.yaml"))
    done = bed.blackstart("up")
    if done.code not in (5, 6):
        raise ToolFailed(f"up did not see the broken layer (exit {done.code})", hint=f"see {bed.log}")
    settings.write_text(patient)
    (listing.parent / "broken.yaml").unlink()
    bed.commit_file(f"{LAYER}/kustomization.yaml", good)
    return Damage()


SCENARIO = Scenario("layer-broken", fault)
