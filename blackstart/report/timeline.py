"""Folds the events of a run into spans: what began when, how it stands, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from blackstart.progress import Event

OPEN = ("started", "waiting", "pending")
RELEASE_KINDS = ("HelmRelease",)


@dataclass(frozen=True, slots=True)
class Span:
    """One stage, layer or release: `step` is its path, times are in seconds since the run began.

    `status` is started, waiting, pending (waits only for its turn), ready, failed or skipped; `ended` is
    None while it is open.
    """

    step: str
    started: float
    ended: float | None = None
    status: str = "started"
    reason: str = ""

    @property
    def label(self) -> str:
        """The part of the path that its parent does not show."""
        return self.step.removeprefix(parent_of(self.step)).removeprefix("/")

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.status in OPEN

    def seconds(self, now: float) -> float:
        """How long it took, or has taken until `now`."""
        return max(0.0, (now if self.ended is None else self.ended) - self.started)


@dataclass(slots=True)
class Timeline:
    """A sink that knows how each step stands. Steps are paths: `layers/certs`, `layers/certs/HelmRelease/x`."""

    header: str = ""
    outcome: str = ""
    began: float = 0.0
    elapsed: float = 0.0
    spans: dict[str, Span] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        self.began = self.began or event.ts - event.elapsed
        self.elapsed = max(self.elapsed, event.elapsed)
        if event.event == "begin":
            self.header = event.reason
        elif event.event == "end":
            self.outcome = event.status
        elif event.event == "warning":
            self.warnings.append(event.reason)
        elif event.event == "step" and event.step:
            self._step(event)

    def children(self, step: str = "") -> list[Span]:
        """The spans directly below a step (`""`: the stages), in the order they appeared."""
        return [span for span in list(self.spans.values()) if parent_of(span.step) == step]

    def releases(self, step: str = "") -> int:
        """How many HelmReleases were seen, below `step` or at all."""
        kinds = [span.label.split("/")[0] for span in self.spans.values() if span.step.startswith(step)]
        return sum(kind in RELEASE_KINDS for kind in kinds)

    def _step(self, event: Event) -> None:
        above = parent_of(event.step)
        if above and above not in self.spans:
            self._step(replace(event, step=above, status="started", reason=""))
        status = "pending" if event.status == "waiting" and event.reason.startswith("after ") else event.status
        before = self.spans.get(event.step)
        goes_on = before is not None and before.status not in ("pending", "failed")
        started = before.started if before is not None and goes_on else event.elapsed
        ended = None if status in OPEN else event.elapsed
        self.spans[event.step] = Span(event.step, started, ended, status, event.reason)


def parent_of(step: str) -> str:
    """The path of the step that shows this one: a layer for its objects, a stage for its layers, else `""`."""
    parts = step.split("/")
    return "/".join(parts[: min(len(parts) - 1, 2)])


def duration(seconds: float) -> str:
    """A time for people: `5.1s`, `10m0s`, `1h02m`."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
