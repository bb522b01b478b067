"""Many clusters: one process each, so many at a time, the canary first (issue 8)."""

from __future__ import annotations

import fnmatch
import json
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.config import names
from blackstart.errors import ConfigError
from blackstart.tools.process import Command, run

NOT_READY = 6


@dataclass(frozen=True, slots=True)
class Selection:
    """Which clusters: those named, all, or those that match a glob."""

    clusters: tuple[str, ...] = ()
    all: bool = False
    match: str = ""

    @property
    def is_fleet(self) -> bool:
        """Whether the command is about more than one cluster."""
        return self.all or bool(self.match) or len(self.clusters) > 1

    def names(self, root: Path) -> list[str]:
        """The clusters, in the order of their names. Raises ConfigError when there is none or one is unknown."""
        known = names(root)
        if self.all or self.match:
            found = [name for name in known if self.all or fnmatch.fnmatchcase(name, self.match)]
        else:
            found = list(dict.fromkeys(self.clusters))
        unknown = [name for name in found if name not in known]
        if unknown or not found:
            what = f"no cluster file for {', '.join(unknown)}" if unknown else f"no cluster matches {self.match}"
            raise ConfigError(f"{what} (clusters: {', '.join(known) or 'none'})", hint="ls clusters/")
        return found


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a fleet is worked through; `max_failures` 0: go on whatever fails."""

    max_parallel: int = 4
    canary: str = ""
    max_failures: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one cluster ended: the exit code, its last words, the log that has all of it."""

    cluster: str
    code: int
    message: str
    log: Path | None


Told = Callable[[str, dict[str, object]], None]


@dataclass(slots=True)
class Fleet:
    """A command over many clusters; `told` hears each event of each cluster."""

    root: Path
    command: Sequence[str]
    rollout: Rollout
    told: Told
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, clusters: Sequence[str]) -> list[Outcome]:
        """Run the command for each; what was not begun after too many failures has exit code -1."""
        rest = list(clusters)
        canary = self.rollout.canary
        if canary:
            if canary not in rest:
                raise ConfigError(f"the canary {canary} is not among the clusters", hint="give it by --cluster too")
            rest.remove(canary)
            if self._one(canary).code != 0:
                return self._closed(clusters, f"not begun: the canary {canary} failed")
        self._parallel(rest)
        return self._closed(clusters, "not begun: too many failures")

    def _parallel(self, rest: list[str]) -> None:
        waiting: set[Future[Outcome]] = set()
        with ThreadPoolExecutor(max_workers=self.rollout.max_parallel) as pool:
            while rest or waiting:
                while rest and len(waiting) < self.rollout.max_parallel and not self._failed_enough():
                    waiting.add(pool.submit(self._one, rest.pop(0)))
                if not waiting:
                    return
                _, waiting = wait(waiting, return_when=FIRST_COMPLETED)

    def _one(self, cluster: str) -> Outcome:
        folder = self.root / ".blackstart" / cluster / "logs"
        log = folder / f"{self.command[0]}.log"
        log.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "blackstart", "--cluster", cluster, "-o", "json", *self.command]
        environment = {"PYTHONPATH": str(self.root), "BLACKSTART_CLUSTER": cluster}
        done = run(Command(argv, cwd=self.root, env=environment, log=log), check=False, on_line=self._hear(cluster))
        words = [line for line in done.stderr.strip().splitlines() if line.strip()]
        message = next((line for line in words if line.startswith("✘")), words[-1] if words else "")
        outcome = Outcome(cluster, done.code, message if done.code else "", log)
        with self._lock:
            self.outcomes[cluster] = outcome
        return outcome

    def _hear(self, cluster: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            try:
                event = json.loads(text)
            except ValueError:
                return
            with self._lock:
                self.told(cluster, event)

        return line

    def _failed_enough(self) -> bool:
        failed = [one for one in self.outcomes.values() if one.code != 0]
        return 0 < self.rollout.max_failures <= len(failed)

    def _closed(self, clusters: Sequence[str], why: str) -> list[Outcome]:
        return [self.outcomes.get(name) or Outcome(name, -1, why, None) for name in clusters]


def worst(outcomes: Sequence[Outcome]) -> int:
    """The exit code of a fleet: the highest of its clusters; what was not begun is not Ready."""
    return max((NOT_READY if one.code < 0 else one.code for one in outcomes), default=0)
