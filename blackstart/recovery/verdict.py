"""The table of design, section 6: evidence in, decision out, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from blackstart.errors import BlackstartError, Locked, Unsafe
from blackstart.recovery.facts import Evidence, StateFact


class Row(StrEnum):
    """The rows of the table, and two that need no rescue."""

    SAME = "same"
    EMPTIED = "emptied"
    STOPPED = "stopped"
    LOST = "lost"
    ADOPT = "adopt"
    NOTHING = "nothing"
    FOREIGN = "foreign"
    DENIED = "denied"
    UNPROVEN = "unproven"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it means and what follows: `forget` are addresses by stack, `restore` stacks whose state is not whole,
    `start` whether the cluster has to be started, `fetch` whether its kubeconfig has to be taken anew, `rejoin` hosts
    that lost what they had of it, `refusal` why nothing may be done."""

    row: Row
    text: str
    forget: Mapping[str, tuple[str, ...]]
    restore: tuple[str, ...] = ()
    start: bool = False
    fetch: bool = False
    rejoin: tuple[str, ...] = ()
    refusal: BlackstartError | None = None

    @property
    def lost(self) -> bool:
        """Whether there is no cluster."""
        return self.row in (Row.LOST, Row.NOTHING)

    @property
    def data_lost(self) -> bool:
        """Whether what was in the cluster is gone, so that data hooks have to bring it back."""
        return self.row in (Row.LOST, Row.EMPTIED, Row.NOTHING)


def decide(evidence: Evidence, *, assume_lost: bool = False) -> Verdict:
    """The row that the evidence stands in. `assume_lost` is the operator's word where nothing proves a loss."""
    held = [one for one in evidence.states if one.lock]
    if held:
        return _locked(held)
    match evidence.api.answer:
        case "answers":
            return _answers(evidence)
        case "denied":
            return _refuse(Row.DENIED, "the API answers, but not to us", evidence, DENIED_HINT)
        case "refuses" | "unknown":
            return _refuses(evidence, assume_lost)
        case _:
            return _silent(evidence, assume_lost)


DENIED_HINT = "get new credentials (blackstart kubeconfig); a cluster that answers is not lost"
FOREIGN_HINT = "point the kubeconfig at your own cluster, or remove it: blackstart kubeconfig fetches it anew"
UNPROVEN_HINT = "look at the network first; if you know that the cluster is gone: blackstart recover --assume-lost"


def _answers(found: Evidence) -> Verdict:
    live, recorded = found.api.live, found.recorded
    ours = found.api.provider_made
    if live is None:
        if ours:
            return _go(Row.SAME, "unfinished: our cluster answers, but does not say yet which it is", found)
        return _refuse(Row.UNPROVEN, "the cluster does not say which it is", found, "blackstart status")
    if recorded is None:
        if found.provider.known and not found.provider.exists:
            return _refuse(Row.FOREIGN, "an API answers, but the provider made no such cluster", found, FOREIGN_HINT)
        return _go(
            Row.ADOPT, "alive, and no state says which it is: what is ours is adopted", found, start=_half(found)
        )
    if live == recorded:
        return _go(Row.SAME, "our cluster is alive: drift, or a run that was killed", found, start=_half(found))
    if live.ca_sha256 == recorded.ca_sha256 or ours:
        return _lost(Row.EMPTIED, "EMPTIED: it is our cluster, but not the one that was recorded", found)
    return _refuse(Row.FOREIGN, "somebody else's cluster: another UID and another CA", found, FOREIGN_HINT)


def _half(found: Evidence) -> bool:
    """Whether something of a cluster that answers does not run."""
    return found.provider.known and found.provider.exists and not found.provider.running


def _refuses(found: Evidence, assume_lost: bool) -> Verdict:
    if found.provider.known and found.provider.exists:
        stopped = "its API is down" if found.provider.running else "it is stopped"
        return _go(Row.STOPPED, f"a reboot: the cluster exists, {stopped}", found, start=True)
    if found.provider.known:
        return _gone(found)
    return _unproven(found, assume_lost)


def _silent(found: Evidence, assume_lost: bool) -> Verdict:
    if found.provider.known and not found.provider.exists:
        return _gone(found)
    return _unproven(found, assume_lost)


def _gone(found: Evidence) -> Verdict:
    if found.recorded is None and not any(one.forgettable or not one.whole for one in found.states):
        return _go(Row.NOTHING, "nothing is there, nothing is recorded: everything is made from Git", found)
    return _lost(Row.LOST, "LOST: the provider proves that the cluster no longer exists", found)


def _unproven(found: Evidence, assume_lost: bool) -> Verdict:
    if assume_lost:
        return _lost(Row.LOST, "LOST: by the operator's word (--assume-lost)", found)
    what = "nothing proves that the cluster is lost; it may be only the network"
    return _refuse(Row.UNPROVEN, what, found, UNPROVEN_HINT)


def _go(row: Row, text: str, found: Evidence, *, start: bool = False) -> Verdict:
    return Verdict(row, text, {}, _broken(found), start, found.api.from_provider, found.provider.blank)


def _lost(row: Row, text: str, found: Evidence) -> Verdict:
    forget = {one.stack: one.forgettable for one in found.states if one.forgettable}
    return Verdict(row, text, forget, _broken(found), fetch=found.api.from_provider)


def _refuse(row: Row, text: str, found: Evidence, hint: str) -> Verdict:
    told = [text, *(part for part in (found.api.text, _said(found)) if part)]
    return Verdict(row, text, {}, refusal=Unsafe("\n".join(told), hint=hint))


def _locked(held: list[StateFact]) -> Verdict:
    who = "\n".join(f"{one.stack}: {one.lock}" for one in held)
    refusal = Locked(f"a state is locked\n{who}", hint="wait for it, or end it, then again")
    return Verdict(Row.LOCKED, "another run works on this cluster", {}, refusal=refusal)


def _said(found: Evidence) -> str:
    return f"provider: {found.provider.proof}" if found.provider.proof else ""


def _broken(found: Evidence) -> tuple[str, ...]:
    return tuple(one.stack for one in found.states if not one.whole)
