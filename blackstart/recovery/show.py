"""What a person sees of a recovery before it begins: evidence, verdict, plan (screens.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blackstart.config.workspace import STACKS
from blackstart.recovery.facts import Evidence, Mark, StateFact
from blackstart.recovery.verdict import Row, Verdict
from blackstart.steps import Step

CONSEQUENCES = {
    Row.SAME: ("what runs, and its data", "what is missing or wrong"),
    Row.STOPPED: ("what is on its disks", "nothing, unless it is missing or wrong"),
    Row.ADOPT: ("what runs, and its data", "the states; the key's Secret"),
    Row.EMPTIED: ("the machines, the states' lineage", "all that was in the cluster"),
    Row.LOST: ("the states' lineage, and a backup of each", "the cluster, and all that Git describes"),
    Row.NOTHING: ("nothing is there", "the cluster, and all that Git describes"),
}
"""Of each row that goes on: what is kept, what is made anew."""
PREPARED = ("key", "commit", "check", "synth")


def evidence_lines(found: Evidence) -> list[tuple[str, str]]:
    """Each thing that was looked at, and what was found."""
    api = found.api
    flux = api.flux or ("could not be asked" if api.answer != "answers" else "not there")
    secret = api.key or ("could not be asked" if api.answer != "answers" else "not there")
    lines = [(_named("state", one, found), _state(one)) for one in found.states]
    return [
        *lines,
        ("provider", found.provider.proof or "cannot tell whether the cluster exists"),
        ("API", _api(found)),
        ("identity", _identity(found)),
        ("Flux", flux),
        ("key there", secret),
        ("key", found.key),
        ("git", found.git.text),
    ]


def screen(found: Evidence, verdict: Verdict, steps: Sequence[Step]) -> str:
    """Evidence, verdict and, unless it is refused, the plan."""
    lines = ["Evidence", *(f"  {name:<13} {text}" for name, text in evidence_lines(found))]
    lines += [f"Verdict         {verdict.text}", ""]
    if verdict.refusal is None:
        lines[-1:] = [*(f"  {name:<13} {text}" for name, text in consequences(verdict)), ""]
        lines += ["Plan", *(f"  {number:>2} {text}" for number, text in enumerate(plan_lines(verdict, steps), 1))]
    return "\n".join(lines)


def consequences(verdict: Verdict) -> list[tuple[str, str]]:
    """What the states will forget, what stays as it is, what is made anew (issue 4)."""
    kept, made = CONSEQUENCES[verdict.row]
    return [("forget", _forgotten(verdict) or "nothing"), ("keep", kept), ("make anew", made)]


def plan_lines(verdict: Verdict, steps: Sequence[Step]) -> Iterator[str]:
    """One line a step: what it is called and what it does."""
    for step in steps:
        if step.name in PREPARED:
            continue
        text = (type(step).__doc__ or "").splitlines()[0]
        if step.name == "forget":
            text = f"{_forgotten(verdict)} leave the states"
        if step.name == "cluster" and verdict.rejoin:
            text = f"{text} Hosts that lost it join anew: {', '.join(verdict.rejoin)}"
        yield f"{step.name:<12} {text}"


def _forgotten(verdict: Verdict) -> str:
    names = [address for addresses in verdict.forget.values() for address in addresses]
    some = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return f"{len(names)} resources ({some})" if names else ""


def _named(word: str, one: StateFact, found: Evidence) -> str:
    part = next((part for part in STACKS if one.stack.endswith(f"-{part}")), one.stack)
    return word if len(found.states) == 1 else part


def _state(one: StateFact) -> str:
    if not one.exists:
        return "no state"
    free = "not locked" if one.lock_seen else "its lock shows when it is taken"
    lock = f"locked: {one.lock}" if one.lock else free
    if not one.whole:
        instead = f"{one.backup.name} can replace it" if one.backup else "no backup fits"
        return f"state is cut off, {instead}, {lock}"
    return f"state serial {one.serial}, lineage {one.lineage[:4]}…, {lock}"


def _api(found: Evidence) -> str:
    api = found.api
    if api.answer == "answers":
        return f"{api.endpoint} answers" + (", by a kubeconfig fetched anew" if api.from_provider else "")
    return api.text or api.answer


def _identity(found: Evidence) -> str:
    live, recorded = found.api.live, found.recorded
    if recorded is None:
        return f"none recorded; {_mark(live)} answers" if live else "none recorded; nothing there to compare"
    if live is None:
        return f"recorded {_mark(recorded)}; nothing there to compare"
    if live == recorded:
        return f"recorded {_mark(recorded)}, the same answers"
    return f"recorded {_mark(recorded)}; {_mark(live)} answers"


def _mark(mark: Mark | None) -> str:
    return f"uid {mark.uid[:4]}…, ca {mark.ca_sha256[:4]}…" if mark else "nothing"
