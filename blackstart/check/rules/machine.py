"""This machine and the recovery kit: tools, room, clock, and what one would need after a loss."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.check.evidence import Evidence
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.tools.manifests import Place

GIB = 1 << 30
NEEDED = {"embedded": 2 * GIB, "kind": 4 * GIB}
NEEDED_ELSEWHERE = GIB // 2
SKEW_SECONDS = 60
BACKUP_AGE_SECONDS = 7 * 24 * 3600


def tools(seen: Evidence) -> Iterator[Finding]:
    """Every outside program is there, in a version that fits."""
    for name, problem in sorted(seen.machine.tools.items()):
        yield found("tool-missing", Place(f"toolchain/{name}", 0), problem.message, problem.hint)


def provider(seen: Evidence) -> Iterator[Finding]:
    """The provider itself can work."""
    problem = seen.machine.provider
    if problem:
        yield found("provider-not-ready", seen.setting("cluster"), problem.message, problem.hint)


def terraform_providers(seen: Evidence) -> Iterator[Finding]:
    """The builtin pair puts the key into the state: embedded only (design, section 7)."""
    if seen.config.providers == "builtin" and seen.config.provider != "embedded":
        yield found(
            "builtin-elsewhere",
            seen.setting("providers"),
            "providers: builtin writes the Age key into the state; only the embedded cluster may use it",
            "providers: registry",
        )


def room(seen: Evidence) -> Iterator[Finding]:
    """There is room on the disk."""
    needed = NEEDED.get(seen.config.provider, NEEDED_ELSEWHERE)
    if seen.machine.free < needed:
        yield found(
            "disk-space",
            Place(".blackstart", 0),
            f"{seen.machine.free / GIB:.1f} GiB free; a cluster of this provider needs {needed / GIB:.1f} GiB",
            "make room: docker system prune, or rm -r .blackstart/*/runs",
        )


def clock(seen: Evidence) -> Iterator[Finding]:
    """Certificates and tokens need clocks that agree."""
    skew = seen.machine.skew
    if skew is not None and abs(skew) > SKEW_SECONDS:
        yield found(
            "clock-skew",
            Place("clock", 0),
            f"this clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the API server's",
            "timedatectl set-ntp true, here or there",
        )


def kit(seen: Evidence) -> Iterator[Finding]:
    """A throwaway needs no recovery kit; everything else does."""
    if seen.config.provider == "embedded":
        return
    if len(set(seen.config.sops.recipients)) < 2:
        yield pointed_out(
            "one-recipient",
            seen.setting("sops", "recipients"),
            "only one key opens the secrets: with it they are lost for good",
            "add an offline or hardware key to sops.recipients and .sops.yaml; blackstart keys backup",
        )
    state, newest = seen.backups.state, seen.backups.newest
    if state is not None and (newest is None or state - newest > BACKUP_AGE_SECONDS):
        yield pointed_out(
            "state-backup-stale",
            Place(f".blackstart/{seen.cluster}/backups", 0),
            "the state has changed since its last backup" if newest else "the state was never backed up",
            f"copy .blackstart/{seen.cluster}/states to a safe place, or use a remote backend",
        )


RULES = (tools, provider, terraform_providers, room, clock, kit)
