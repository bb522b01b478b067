"""What each command does, as a list of steps: read this first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blackstart.config import ClusterConfig
from blackstart.keys.rotation import Phase
from blackstart.recovery.verdict import Verdict
from blackstart.steps import Step
from blackstart.steps.apply import ApplyCluster, ApplyFlux, ApplyKey, ApplySingle
from blackstart.steps.drain import DestroyStack, DrainLayers
from blackstart.steps.hooks import DemandHooks, HoldLayers, RunHook
from blackstart.steps.k3s_snapshot import LaySnapshot
from blackstart.steps.k3s_token import KeepToken
from blackstart.steps.layers import WaitLayers
from blackstart.steps.prepare import FindKey, PinCommit, Preflight, Publish, Synthesize
from blackstart.steps.rescue import BackUpStates, ForgetInCluster, RestoreStates, StartCluster, TakeKubeconfig
from blackstart.steps.rotate import BeginRotation, BothKeys, BothRecipients, Deployed, OldKeyOut, OldRecipientOut
from blackstart.steps.rotate_git import ReplaceCredentials, TryCredentials
from blackstart.synth import Part


def prepare() -> list[Step]:
    """Everything that changes nothing."""
    return [FindKey(), PinCommit(), Preflight(), Synthesize()]


def up(config: ClusterConfig) -> list[Step]:
    """From whatever is there to every layer Ready; a second run changes nothing."""
    return [*prepare(), *bring_up(config)]


def bring_up(config: ClusterConfig, skipped: tuple[str, ...] = (), rejoin: tuple[str, ...] = ()) -> list[Step]:
    """The steps that change: what Flux reads, the stacks in their order, the layers; `rejoin` are lost hosts."""
    hooks = tuple(config.recover.hooks)
    hold: list[Step] = [HoldLayers(hooks, skipped)] if hooks else []
    first: list[Step] = [KeepToken()] if config.provider == "k3s" else []
    stacks: list[Step] = [ApplyCluster(rejoin), ApplyKey(), *hold, ApplyFlux()]
    if config.state.layout == "single":
        stacks = [*hold, ApplySingle()]
    return [Publish(), *first, *stacks, *(RunHook(hook, hooks) for hook in hooks), WaitLayers()]


def recover(
    config: ClusterConfig, verdict: Verdict, skipped: tuple[str, ...] = (), snapshot: Path | None = None
) -> list[Step]:
    """`up` with steps in front: the same end state, from wherever the verdict says that we are.

    `snapshot` is etcd's, with which a cluster of k3s that is lost begins again.
    """
    rescue: list[Step] = [BackUpStates(), *([LaySnapshot(snapshot)] if snapshot else [])]
    due = tuple(hook for hook in config.recover.hooks if hook.name not in skipped)
    if verdict.data_lost and due:
        rescue.append(DemandHooks(due))
    if verdict.restore:
        rescue.append(RestoreStates(verdict.restore))
    if verdict.forget:
        rescue.append(ForgetInCluster(tuple(verdict.forget)))
    if verdict.start:
        rescue.append(StartCluster(nodes=not verdict.rejoin))
    elif verdict.fetch:
        rescue.append(TakeKubeconfig())
    return [*prepare(), *rescue, *bring_up(config, skipped, verdict.rejoin)]


def down(config: ClusterConfig) -> list[Step]:
    """Everything away: the layers in reverse order, then the stacks; an `existing` cluster itself stays."""
    parts: list[Part] = ["single"] if config.state.layout == "single" else ["flux", "sops-age", "cluster"]
    return [FindKey(), PinCommit(), Synthesize(), DrainLayers(), *(DestroyStack(part) for part in parts)]


def rotate(config: ClusterConfig, *, commit: bool) -> list[Step]:
    """A new Age key in five moves; Flux can decrypt at every moment, and a second run goes on where one ended."""
    return [
        BeginRotation(),
        PinCommit(),
        BothKeys(),
        BothRecipients(commit),
        Deployed(Phase.BOTH, "layers"),
        OldRecipientOut(commit),
        Deployed(Phase.NEW, "layers-new"),
        OldKeyOut(),
    ]


def rotate_git(config: ClusterConfig) -> list[Step]:
    """The Git credentials that `git.auth` names now, tried first, in place of those that Flux has."""
    return [TryCredentials(), FindKey(), Synthesize(), ReplaceCredentials()]


def printed(steps: Sequence[Step]) -> str:
    """A recipe for `--dry-run`: one line a step."""
    return "\n".join(f"{step.name:<10} {(type(step).__doc__ or '').splitlines()[0]}" for step in steps)
