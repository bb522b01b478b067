"""`make bench`: measures, prints a table, writes bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

from bench import hcp
from bench.lab import Found, Lab
from bench.measures import drills, evidence, fleet, help_seconds, noop, recover, stock, synth, up

RESULTS = Path(__file__).parent / "results.json"
MEASURES = {
    "help": help_seconds,
    "synth": synth,
    "up": up,
    "stock": stock,
    "noop": noop,
    "evidence": evidence,
    "recover": recover,
    "fleet": fleet,
    "hcp": hcp.measured,
    "drills": drills,
}
LONG = ("drills",)
"""Measured only when they are named."""


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
    "drill_all_minutes": Target(20, "issue 4"),
    "three_over_one": Target(2.2, "issue 8"),
    "hcp_rss_mb": Target(200, "issue 8"),
    "hcp_whole_over_half_cpu": Target(2.5, "issue 8: linear is 2"),
    "hcp_requests_a_second": Target(30, "issue 8"),
    "hcp_again_requests_a_workspace": Target(2, "issue 8"),
    "synth_100_seconds": Target(20, "issue 8"),
    "synth_growth": Target(1.5, "issue 8: linear"),
}


def main() -> None:
    """Measure what is named, by default all that does not take long."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    usual = [name for name in MEASURES if name not in LONG]
    parser.add_argument("measures", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; default: {usual}")
    names = parser.parse_args().measures or usual
    if unknown := set(names) - set(MEASURES):
        parser.error(f"no measure {', '.join(sorted(unknown))}")
    lab = Lab(Path.cwd())
    try:
        for name in names:
            lab.say(name)
            lab.found |= MEASURES[name](lab)
            write({name: round(value, 2) for name, value in lab.found.items()})
    finally:
        lab.close()
    print(table({name: round(value, 2) for name, value in lab.found.items()}))  # noqa: T201


def write(measured: Found) -> None:
    """Take what was measured now into the file; the rest of it stays."""
    known: Found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    whole = {**known, "cores": float(os.cpu_count() or 0), **measured}
    RESULTS.write_text(json.dumps(whole, indent=2) + "\n")


def table(found: Found) -> str:
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
