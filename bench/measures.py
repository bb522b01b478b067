"""What is measured of blackstart itself, in seconds and megabytes."""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench import by_hand
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import scenarios
from blackstart.tools.process import Command, run

MB = 1024 * 1024


def seconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def help_seconds(root: Path) -> float:
    """The median of five `blackstart --help`."""
    command = Command([sys.executable, "-m", "blackstart", "--help"], cwd=root, env={"PYTHONPATH": str(root)})
    return statistics.median(seconds(lambda: run(command)) for _ in range(5))


def up_from_nothing(bed: Bed) -> tuple[float, float]:
    """Seconds of `up`, and the peak RSS (MB) of the command line alone."""
    bed.empty()
    by_hand.prepared(bed)
    peak = Peak("-m blackstart --cluster")
    with peak:
        taken = seconds(lambda: bed.good("up"))
    return taken, peak.mb


def noop_over_plan(bed: Bed) -> float:
    """A second `up` with nothing to do, over the plans of the three stacks; the median of three rounds."""
    rounds = [seconds(lambda: bed.good("up")) / by_hand.plans(bed) for _ in range(3)]
    return statistics.median(rounds)


def recover_from_loss(bed: Bed) -> float:
    """Seconds of `recover` after the cluster was lost."""
    scenarios()["cluster-lost"].fault(bed, 1)
    return seconds(lambda: bed.good("recover", "--yes"))


def evidence(bed: Bed, scenario: str) -> float:
    """Seconds that `recover --dry-run` collects evidence, by its own events; `scenario` blank: all is well."""
    damage = scenarios()[scenario].fault(bed, 1) if scenario else None
    done = bed.blackstart("-o", "json", "recover", "--dry-run")
    if damage and damage.mend:
        damage.mend()
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    times = [float(event["elapsed"]) for event in events if event["step"] == "evidence"]
    return max(times) - min(times)


class Peak:
    """The largest resident memory of processes whose command line holds a text, sampled while the block runs."""

    def __init__(self, text: str) -> None:
        self.mb = 0.0
        self._text = text
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(0.2):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                if self._text in " ".join(process.info["cmdline"] or []):
                    self.mb = max(self.mb, process.info["memory_info"].rss / MB)
