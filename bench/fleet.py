"""What is measured of a fleet: three clusters at a time, and the synthesis of a hundred (issue 8)."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.lab import seconds
from blackstart.drill.bed import Bed
from blackstart.synth import run_app

SIZES = (20, 60, 100)


def three_over_one(bed: Bed, one: float) -> float:
    """Seconds of three clusters from nothing by one `up --all`, over those of one."""
    bed.empty()
    names = [f"{bed.cluster}-{number}" for number in (1, 2, 3)]
    own = (bed.repository / "clusters" / f"{bed.cluster}.yaml").read_bytes()
    key = (bed.repository / "keys" / f"{bed.cluster}.agekey").read_bytes()
    with _only(bed.repository / "clusters"):
        for name in names:
            (bed.repository / "clusters" / f"{name}.yaml").write_bytes(own)
            (bed.repository / "keys" / f"{name}.agekey").write_bytes(key)
        try:
            return seconds(lambda: bed.good("up", "--all")) / one
        finally:
            for name in names:
                replace(bed, cluster=name).embedded("delete")


def synthesis(bed: Bed) -> tuple[float, float]:
    """Seconds of one synthesis of 100 clusters; and its growth: CPU time of the last 40 of them over that of the 40
    before, 1 when it is linear."""
    own = (bed.repository / "clusters" / f"{bed.cluster}.yaml").read_bytes()
    wall, cpu = 0.0, []
    with _only(bed.repository / "clusters") as folder:
        for size in SIZES:
            for number in range(size):
                (folder / f"c{number}.yaml").write_bytes(own)
            began = _cpu()
            wall = seconds(lambda: _synthesize(bed.repository))
            cpu.append(_cpu() - began)
    return wall, (cpu[2] - cpu[1]) / (cpu[1] - cpu[0])


@contextmanager
def _only(folder: Path) -> Iterator[Path]:
    """An empty folder in the place of this one, which is put back at the end."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


def _synthesize(root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="blackstart-bench-") as out:
        run_app(root, "*", Path(out))


def _cpu() -> float:
    """Seconds of CPU time that ended children have had."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
