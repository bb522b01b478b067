"""`make bench`: measures, prints a table, writes bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import by_hand, fleet, measures
from blackstart.drill.bed import Bed, lay

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Target:
    """What a measure must not exceed; with `at_least` what it must reach."""

    limit: float
    source: str
    at_least: bool = False


TARGETS = {
    "up_over_limit": Target(1.25, "issue 3"),
    "stock_over_up": Target(2.5, "issue 3", at_least=True),
    "noop_over_plan": Target(2.0, "issue 3"),
    "help_seconds": Target(0.3, "issue 3"),
    "cli_peak_rss_mb": Target(150, "issue 3"),
    "recover_over_limit": Target(1.3, "issue 4"),
    "evidence_hanging_seconds": Target(3.0, "issue 4"),
    "evidence_well_seconds": Target(1.0, "issue 4"),
    "three_over_one": Target(2.2, "issue 8"),
    "synth_100_seconds": Target(20, "issue 8"),
    "synth_growth": Target(1.5, "issue 8: linear"),
}


def main() -> None:
    """Measure everything on one bed, one after the other; a part alone leaves the other results as they are."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("part", nargs="?", choices=["all", "fleet"], default="all", help="what to measure")
    parser.add_argument("--without", nargs="*", default=[], help="measures to leave out, such as stock fleet")
    args = parser.parse_args()
    root = Path.cwd()
    log = Path(tempfile.mkdtemp(prefix="blackstart-bench-")) / "bench.log"
    bed = lay(root, "local", "HEAD", log)
    try:
        found = measured(root, bed, args.without) if args.part == "all" else fleet_alone(bed)
    finally:
        bed.remove()
    found = {name: round(value, 2) for name, value in found.items()}
    print(table(found))  # noqa: T201
    before = json.loads(RESULTS.read_text()) if args.part != "all" and RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(before | found, indent=2) + "\n")


def fleet_alone(bed: Bed) -> dict[str, float]:
    """The measures of a fleet, and of the one cluster that they are compared with."""
    up_seconds, _ = measures.up_from_nothing(bed)
    return {"up_seconds": up_seconds, **of_a_fleet(bed, up_seconds)}


def of_a_fleet(bed: Bed, up_seconds: float) -> dict[str, float]:
    """Three clusters against one; the synthesis of a hundred."""
    three = fleet.three_over_one(bed, up_seconds)
    wall, growth = fleet.synthesis(bed)
    return {"three_over_one": three, "synth_100_seconds": wall, "synth_growth": growth}


def measured(root: Path, bed: Bed, without: list[str]) -> dict[str, float]:
    """All measures; seconds of the whole runs are there too, to be read as ratios only."""
    found = {"cores": float(os.cpu_count() or 0), "help_seconds": measures.help_seconds(root)}
    found["limit_seconds"] = by_hand.limit(bed)
    if "stock" not in without:
        found["stock_seconds"] = by_hand.stock(bed)
    found["up_seconds"], found["cli_peak_rss_mb"] = measures.up_from_nothing(bed)
    found["up_over_limit"] = found["up_seconds"] / found["limit_seconds"]
    if "stock_seconds" in found:
        found["stock_over_up"] = found["stock_seconds"] / found["up_seconds"]
    found["noop_over_plan"] = measures.noop_over_plan(bed)
    found["evidence_well_seconds"] = measures.evidence(bed, "")
    found["evidence_hanging_seconds"] = measures.evidence(bed, "api-hang")
    found["recover_seconds"] = measures.recover_from_loss(bed)
    found["recover_over_limit"] = found["recover_seconds"] / found["limit_seconds"]
    if "fleet" not in without:
        found |= of_a_fleet(bed, found["up_seconds"])
    return found


def table(found: dict[str, float]) -> str:
    """Each measure with its target, and whether it holds."""
    lines = []
    for name, value in found.items():
        target = TARGETS.get(name)
        if target is None:
            lines.append(f"   {name:<26} {value:>8.2f}")
            continue
        holds = value >= target.limit if target.at_least else value <= target.limit
        sign = "≥" if target.at_least else "≤"
        lines.append(f" {'✔' if holds else '✘'} {name:<26} {value:>8.2f}   {sign} {target.limit:g} ({target.source})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
