"""The CNI of a cluster that is made without one: it can be seeded, and Flux takes it over without a change."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.check.evidence import Evidence
from blackstart.check.finding import Finding, found
from blackstart.seed import CNI

SHOWN = 3


def seeded(seen: Evidence) -> Iterator[Finding]:
    """A HelmRelease is there, the seed can read it, and both come to the same objects (issue 7)."""
    network, at_path = seen.network, seen.setting("git", "path")
    if network is None:
        return
    place = seen.place("HelmRelease", network.release, at_path)
    if not network.release:
        yield found(
            "cni-missing",
            at_path,
            f"the cluster is made without a CNI, and {seen.config.git.path} leads to no HelmRelease {CNI}",
            f"add one (gitops/flux/infrastructure/controllers/{CNI} is an example)",
        )
    elif network.problem:
        yield found("cni-not-seedable", place, network.problem.message, network.problem.hint)
    elif network.differs:
        more = len(network.differs) - SHOWN
        names = ", ".join(network.differs[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield found(
            "cni-seed-differs",
            place,
            f"Flux would change the CNI when it takes it over: the seed, installed before, differs in {names}",
            "the seed reads spec.values and ConfigMaps of valuesFrom: put what differs there",
        )


RULES = (seeded,)
