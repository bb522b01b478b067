"""What each command does, as a list of steps: read this first."""

from __future__ import annotations

from collections.abc import Sequence

from blackstart.config import ClusterConfig
from blackstart.steps import Step
from blackstart.steps.apply import ApplyCluster, ApplyFlux, ApplyKey, ApplySingle
from blackstart.steps.drain import DestroyStack, DrainLayers
from blackstart.steps.layers import WaitLayers
from blackstart.steps.prepare import FindKey, PinCommit, Preflight, Publish, Synthesize


def prepare() -> list[Step]:
    """Everything that changes nothing."""
    return [FindKey(), PinCommit(), Preflight(), Synthesize()]


def up(config: ClusterConfig) -> list[Step]:
    """From whatever is there to every layer Ready; a second run changes nothing."""
    return [*prepare(), *bring_up(config)]


def bring_up(config: ClusterConfig) -> list[Step]:
    """The steps that change: what Flux reads, the stacks in their order, the layers."""
    stacks: list[Step] = [ApplyCluster(), ApplyKey(), ApplyFlux()]
    if config.state.layout == "single":
        stacks = [ApplySingle()]
    return [Publish(), *stacks, WaitLayers()]


def down(config: ClusterConfig) -> list[Step]:
    """Everything away: the layers in reverse order, then the stacks; an `existing` cluster itself stays."""
    if config.state.layout == "single":
        return [*prepare(), DrainLayers(), DestroyStack("single")]
    return [*prepare(), DrainLayers(), DestroyStack("flux"), DestroyStack("sops-age"), DestroyStack("cluster")]


def printed(steps: Sequence[Step]) -> str:
    """A recipe for `--dry-run`: one line a step."""
    return "\n".join(f"{step.name:<10} {(type(step).__doc__ or '').splitlines()[0]}" for step in steps)
