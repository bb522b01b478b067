"""One run on HCP Terraform, followed to its end: its states by their own names, its logs, its link."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.config.workspace import append_private
from blackstart.errors import BlackstartError, GateTimeout, Interrupted, ToolFailed
from blackstart.tools.process import redact
from blackstart.tools.terraform_cloud import TerraformCloud, Thing

POLL = 1.0  # seconds; the API has nothing to watch
TAIL = 15
GOOD = ("applied", "planned_and_finished", "planned_and_saved")
BAD = ("discarded", "errored", "canceled", "force_canceled", "policy_soft_failed")
CONFIRMABLE = ("planned", "cost_estimated", "policy_checked", "post_plan_completed")
WORDS = {
    "fetching": "the configuration is fetched",
    "plan_queued": "plan queued, waits for a worker",
    "cost_estimating": "cost estimation",
    "policy_checking": "policy checks",
    "policy_override": "a policy failed softly: waits for an override",
    "confirmed": "confirmed",
    "apply_queued": "apply queued, waits for a worker",
}
NOT_BEGUN = ("pending", "fetching", "fetching_completed", "pre_plan_running", "pre_plan_completed", "plan_queued")
APPLY_BEGUN = ("applying", "post_apply_running", "post_apply_completed", "applied", "errored", "canceled")
STAGE = re.compile(r"(pre_plan|post_plan|pre_apply|post_apply)_(\w+)")
FRAME = re.compile("[\x02\x03]")


@dataclass(frozen=True, slots=True)
class Following:
    """How a run is followed: `told` hears why it is not done, `on_line` each line of its logs, redacted.

    `cancel` is asked after a Ctrl-C, with the run's link: True cancels the run, False leaves it. `seconds` after
    which nobody waits any longer; the run itself is left alone then.
    """

    told: Callable[[str], None]
    cancel: Callable[[str], bool]
    seconds: float
    log: Path | None = None
    on_line: Callable[[str], None] = field(default=lambda line: None)


def why(run: Thing) -> str:
    """Why a run is not done, in the words of HCP Terraform; blank when it is done."""
    status = str(run.attributes["status"])
    if status in (*GOOD, *BAD):
        return ""
    if status == "pending":
        return f"queued, position {run.attributes.get('position-in-queue', '?')}"
    if status in CONFIRMABLE and (run.attributes.get("actions") or {}).get("is-confirmable"):
        return "waits for confirmation"
    stage = STAGE.fullmatch(status)
    if stage:
        return f"task stage {stage[1]}: {stage[2].replace('_', ' ')}"
    return WORDS.get(status, status.replace("_", " "))


class CloudRun:
    """A run that was created; `link` is its page."""

    def __init__(self, cloud: TerraformCloud, run: Thing, link: str, following: Following) -> None:
        self._cloud = cloud
        self._id = run.id
        self._link = link
        self._following = following
        self._logs = [_Log(cloud, kind) for kind in ("plan", "apply")]
        self._lines: list[str] = []

    def follow(self) -> Thing:
        """Wait for the end. Raises ToolFailed when it is not a good one, GateTimeout, Interrupted."""
        try:
            return self._to_its_end()
        except KeyboardInterrupt:
            raise self._interrupted() from None

    def _to_its_end(self) -> Thing:
        deadline = self._cloud.clock() + self._following.seconds
        while True:
            run = self._cloud.get(f"runs/{self._id}")
            self._read(run)
            reason = why(run)
            if not reason:
                return self._judged(run)
            self._following.told(f"{reason} · {self._link}")
            if self._cloud.clock() > deadline:
                raise GateTimeout(
                    f"{self._link} is not done: {reason}",
                    hint="it goes on by itself; look at it: blackstart cloud runs",
                )
            self._cloud.pause(POLL)

    def _judged(self, run: Thing) -> Thing:
        status = str(run.attributes["status"])
        if status in GOOD:
            return run
        tail = "\n".join(self._lines[-TAIL:])
        raise ToolFailed(f"{self._link} ended as {status}\n{tail}".rstrip(), hint=_hint(status, tail))

    def _read(self, run: Thing) -> None:
        for log in self._logs:
            for line in log.more(run):
                clean = redact(line)
                self._lines.append(clean)
                if self._following.log:
                    append_private(self._following.log, f"{clean}\n")
                self._following.on_line(clean)

    def _interrupted(self) -> BlackstartError:
        hint = "blackstart cloud runs, then: blackstart up"
        if not self._following.cancel(self._link):
            return Interrupted(f"interrupted; the run goes on by itself: {self._link}", hint=hint)
        actions = self._cloud.get(f"runs/{self._id}").attributes.get("actions") or {}
        action = "discard" if actions.get("is-discardable") else "cancel"
        self._cloud.act(f"runs/{self._id}/actions/{action}")
        return Interrupted(f"interrupted; the run is being stopped ({action}): {self._link}", hint=hint)


class _Log:
    """The log of a run's plan or apply, read on from where it ended; STX and ETX frame it."""

    def __init__(self, cloud: TerraformCloud, kind: str) -> None:
        self._cloud = cloud
        self._kind = kind
        self._url = ""
        self._offset = 0
        self._rest = ""
        self._ended = False

    def more(self, run: Thing) -> list[str]:
        """The lines that came since; none before the phase has begun."""
        if self._ended or not self._begun(run):
            return []
        piece = self._cloud.log(self._url, self._offset)
        self._offset += len(piece)
        self._ended = piece.endswith(b"\x03")
        text = self._rest + FRAME.sub("", piece.decode(errors="replace"))
        whole, _, self._rest = text.rpartition("\n")
        if self._ended:
            whole, self._rest = text, ""
        return whole.splitlines()

    def _begun(self, run: Thing) -> bool:
        status = str(run.attributes["status"])
        begun = status not in NOT_BEGUN if self._kind == "plan" else status in APPLY_BEGUN
        if begun and not self._url and self._kind in run.related:
            phase = self._cloud.get(f"{'plans' if self._kind == 'plan' else 'applies'}/{run.related[self._kind]}")
            if phase.attributes["status"] not in ("pending", "unreachable", "queued"):
                self._url = str(phase.attributes.get("log-read-url") or "")
        return bool(self._url)


def _hint(status: str, tail: str) -> str:
    if "blackstart recover" in tail or "already exists" in tail:
        return "an earlier run was interrupted here, or this is another cluster: blackstart recover"
    if "Unauthorized" in tail:
        return "the cluster does not take the workspace's KUBE_TOKEN: blackstart cloud setup --renew-secrets"
    if status == "errored":
        return "read the run's log, mend the cause, then: blackstart up"
    return "somebody or a policy ended the run; when that is settled: blackstart up"
