"""Many clusters: one process each, so many at a time, the canary first (issue 8)."""

from __future__ import annotations

import fnmatch
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from blackstart.config import Workspace, names
from blackstart.errors import ConfigError
from blackstart.report.record import last
from blackstart.tools.process import Command, Completed, interrupt_running, run

NOT_READY = 6
SIGNALED = 128
HERE = Path(__file__).parents[1]
CHOICES = ("EVERY", "MATCH", "MORE")
"""The options that choose clusters; a child must not take them from the environment: it would become a fleet too."""


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
            glob = self.match or "*"
            found = [name for name in known if self.all or fnmatch.fnmatchcase(name, glob)]
        else:
            found = list(dict.fromkeys(self.clusters))
        unknown = [name for name in found if name not in known]
        if unknown or not found:
            none = f"no cluster matches {self.match}" if self.match else "no cluster file in clusters/"
            what = f"no cluster file for {', '.join(unknown)}" if unknown else none
            raise ConfigError(f"{what} (clusters: {', '.join(known) or 'none'})", hint="ls clusters/")
        return found


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a fleet is worked through; `max_failures` 0: go on whatever fails."""

    max_parallel: int = 4
    canary: str = ""
    max_failures: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one cluster ended: the exit code (-1: not begun), why, what to do next, the log, what was on stdout."""

    cluster: str
    code: int
    message: str = ""
    hint: str = ""
    log: Path | None = None
    stdout: str = field(default="", repr=False)


class Audience(Protocol):
    """Who hears how the clusters get on; never two calls at a time."""

    def begun(self, cluster: str) -> None:
        """Work on a cluster begins."""

    def told(self, cluster: str, event: dict[str, object]) -> None:
        """A line of JSON from a cluster's process."""

    def ended(self, outcome: Outcome) -> None:
        """Work on a cluster is over."""


@dataclass(slots=True)
class Fleet:
    """A command over many clusters; with `as_json` their processes tell what they do as JSON.

    `pin` gives the options by which a cluster gets the commit of the whole rollout, whatever is committed meanwhile.
    """

    root: Path
    command: Sequence[str]
    rollout: Rollout
    audience: Audience
    as_json: bool = True
    pin: Callable[[str], Sequence[str]] = lambda cluster: ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    interrupted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, clusters: Sequence[str]) -> list[Outcome]:
        """Run the command for each. After a Ctrl-C, which is passed on to all, and after too many failures none is
        begun any more."""
        rest = list(clusters)
        canary = self.rollout.canary
        if canary:
            if canary not in rest:
                raise ConfigError(f"the canary {canary} is not among the clusters", hint="give it by --cluster too")
            rest.remove(canary)
            self._parallel([canary])
            if self.outcomes[canary].code != 0:
                return self._closed(clusters, f"the canary {canary} failed")
        self._parallel(rest)
        return self._closed(clusters, "too many failures")

    def _parallel(self, rest: list[str]) -> None:
        waiting: set[Future[None]] = set()
        with ThreadPoolExecutor(max_workers=self.rollout.max_parallel) as pool:
            try:
                while rest or waiting:
                    while rest and len(waiting) < self.rollout.max_parallel and not self._failed_enough():
                        waiting.add(pool.submit(self._one, rest.pop(0)))
                    if not waiting:
                        return
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            except KeyboardInterrupt:
                self.interrupted = True
                while waiting:
                    interrupt_running()  # again and again: one may have been about to start its process
                    _, waiting = wait(waiting, timeout=1)

    def _one(self, cluster: str) -> None:
        if self.interrupted:
            return
        with self._lock:
            self.audience.begun(cluster)
        log = self.root / ".blackstart" / cluster / "logs" / f"{self.command[0]}.log"
        log.unlink(missing_ok=True)
        command = Command(self._argv(cluster), self.root, self._environment(cluster), log=log)
        done = run(command, check=False, on_line=self._hear(cluster) if self.as_json else None)
        code = done.code if done.code >= 0 else SIGNALED - done.code
        message, hint = self._why(done) if code else ("", "")
        outcome = Outcome(cluster, code, message, hint, log, done.stdout)
        with self._lock:
            self.outcomes[cluster] = outcome
            self.audience.ended(outcome)

    def _why(self, done: Completed) -> tuple[str, str]:
        if done.stderr.strip() or self.as_json:
            return last_words(done.stderr)
        return (done.stdout.strip().splitlines() or [""])[-1], ""

    def _argv(self, cluster: str) -> list[str]:
        output = "json" if self.as_json else "text"
        return [
            sys.executable,
            "-m",
            "blackstart",
            "--cluster",
            cluster,
            "-o",
            output,
            *self.command,
            *self.pin(cluster),
        ]

    def _environment(self, cluster: str) -> dict[str, str]:
        """The operator's own: it is blackstart that begins there. But one port for Git can not serve many clusters,
        so each takes that of its own name (config/ports.py)."""
        prefix = f"BLACKSTART_{self.command[0].upper()}_"
        return {
            **os.environ,
            **dict.fromkeys((prefix + name for name in CHOICES), ""),
            "PYTHONPATH": f"{self.root}{os.pathsep}{HERE}",
            "BLACKSTART_CLUSTER": cluster,
            "BLACKSTART_GIT_PORT": "",
        }

    def _hear(self, cluster: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            try:
                event = json.loads(text)
            except ValueError:
                return
            with self._lock:
                self.audience.told(cluster, event)

        return line

    def _failed_enough(self) -> bool:
        failed = [one for one in self.outcomes.values() if one.code != 0]
        return 0 < self.rollout.max_failures <= len(failed)

    def _closed(self, clusters: Sequence[str], why: str) -> list[Outcome]:
        left = f"not begun: {'interrupted' if self.interrupted else why}"
        return [self.outcomes.get(name) or Outcome(name, -1, left) for name in clusters]


def last_words(output: str) -> tuple[str, str]:
    """Why a command failed, and its hint: the lines of the error that it showed, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = [line.removeprefix("✘ ") for line in lines if line.startswith("✘")]
    hints = [line.removeprefix("Hint").strip() for line in lines if line.startswith("Hint")]
    return (said or lines or [""])[-1], hints[-1] if hints else ""


def unfinished_first(root: Path, clusters: Sequence[str], commit: str) -> list[str]:
    """Where a rollout stopped it goes on: first what it has not reached, then what failed, then what is done already.

    What is done is looked at again, since nobody knows what became of it.
    """

    def how_far(name: str) -> int:
        report = last(Workspace(root, name))
        if report is None or report.commit != commit or report.outcome == "interrupted":
            return 0
        return 2 if report.good else 1

    return sorted(clusters, key=how_far)


def worst(outcomes: Sequence[Outcome]) -> int:
    """The exit code of a fleet: the highest of its clusters; what was not begun is not Ready."""
    return max((NOT_READY if one.code < 0 else one.code for one in outcomes), default=0)
