"""What the measures of one run share: a bed, and what was found so far."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from blackstart.drill.bed import Bed, lay

Found = dict[str, float]
"""Measures by name; seconds are only there to make the ratios of the same run."""


@dataclass
class Lab:
    """One run over the repository `root`."""

    root: Path
    found: Found = field(default_factory=dict)

    @cached_property
    def bed(self) -> Bed:
        """A clone of the committed state, with a cluster of its own."""
        log = Path(tempfile.mkdtemp(prefix="blackstart-bench-")) / "bench.log"
        return lay(self.root, "local", "HEAD", log)

    def ready(self) -> Bed:
        """The bed, its cluster Ready."""
        if not self._is_ready():
            self.bed.good("up")
        return self.bed

    def say(self, name: str) -> None:
        """Tell on stderr what is measured now, and how busy the machine is without it."""
        print(f"{time.strftime('%T')} {name} · load {os.getloadavg()[0]:.1f}", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        """End the cluster and remove the bed, if one was made."""
        if "bed" in self.__dict__:
            self.bed.remove()

    def _is_ready(self) -> bool:
        done = self.bed.blackstart("-o", "json", "status")
        return done.code == 0 and bool(json.loads(done.stdout)["ready"])


def seconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


class Peak:
    """The largest resident memory (MB) of our own children whose command line holds `words`, while the block runs.

    Their children, such as terraform, are not counted. The kernel keeps the peak (proc(5), VmHWM); what is grown in
    the last moments before the end may be missed.
    """

    def __init__(self, *words: str) -> None:
        self.mb = 0.0
        self._words: Sequence[str] = words
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(0.05):
            for child in psutil.Process().children():
                self.mb = max(self.mb, self._peak_of(child))

    def _peak_of(self, child: psutil.Process) -> float:
        try:
            if not set(self._words) <= set(child.cmdline()):
                return 0.0
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
        except (psutil.Error, OSError):
            return 0.0
        peak = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0 kB")
        return int(peak.split()[1]) / 1024
