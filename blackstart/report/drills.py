"""What drills proved: one result a scenario, kept beside the run's report, shown as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blackstart.config.workspace import write_private
from blackstart.report.closing import shown
from blackstart.report.timeline import duration

NAME_WIDTH = 24
LIMITS = (
    "pods were simulated: what is Ready here proves order, decryption, Helm, and that a real API server takes it; it "
    "proves nothing of images, probes, certificates, storage, networks, webhooks or times (docs/drills.md)"
)
"""Every report of an embedded cluster says it (issue 6)."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """How one scenario went. Times are in seconds; `recovered_seconds` is None where nothing was to be recovered.

    `message` says what was proven, or what failed; `log` is the path of the log to read.
    """

    scenario: str
    passed: bool
    seconds: float
    recovered_seconds: float | None = None
    message: str = ""
    log: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as they are."""
        return asdict(self)


def summary(results: Sequence[DrillResult], seconds: float, junit: str = "") -> str:
    """The table and its last line (screens.md); `seconds` is the time of all."""
    recoveries = [result.recovered_seconds for result in results if result.recovered_seconds is not None]
    parts = [f"{sum(result.passed for result in results)} of {len(results)} passed"]
    parts += [f"worst recovery {duration(max(recoveries))}"] if recoveries else []
    parts += [duration(seconds)] + ([f"junit {junit}"] if junit else [])
    return "\n".join([*map(line, results), " · ".join(parts)])


def line(result: DrillResult) -> str:
    """One scenario on one line."""
    from blackstart.report.live import one_line  # brings rich along: commands that draw nothing do without

    message = one_line(result.message)
    if not result.passed:
        told = [message, f"log {shown(Path(result.log))}" if result.log else ""]
    elif result.recovered_seconds is None:
        told = [message, duration(result.seconds)]
    else:
        told = [f"recovered in {duration(result.recovered_seconds):>5}", message]
    return f" {'✔' if result.passed else '✘'} {result.scenario:<{NAME_WIDTH}}" + "   ".join(filter(None, told))


def write(folder: Path, results: Sequence[DrillResult]) -> Path:
    """Keep the results as `drill.json` in the run's folder, mode 0600."""
    path = folder / "drill.json"
    content = [result.to_json() for result in results]
    write_private(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return path


def read(folder: Path) -> list[DrillResult]:
    """The results of a run; none when it was no drill."""
    path = folder / "drill.json"
    return [DrillResult(**each) for each in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
