"""What is measured of blackstart itself; each function gives its measures by the name they have in results.json."""

from __future__ import annotations

import json
import statistics
import sys

from bench import by_hand
from bench.fleet import synthesis, three_over_one
from bench.lab import Found, Lab, Peak, seconds
from blackstart.drill.bed import Bed
from blackstart.drill.scenario import scenarios
from blackstart.tools.process import Command, run

ROUNDS = 3


def help_seconds(lab: Lab) -> Found:
    """The median of five `blackstart --help`."""
    command = Command([sys.executable, "-m", "blackstart", "--help"], cwd=lab.root, env={"PYTHONPATH": str(lab.root)})
    return {"help_seconds": statistics.median(seconds(lambda: run(command)) for _ in range(5))}


def up(lab: Lab) -> Found:
    """`up` from nothing against a hand that is as fast as can be, in turns, and the median of each: a machine is not
    equally fast at all times."""
    limits, ups, peaks = [], [], []
    for _ in range(ROUNDS):
        limits.append(by_hand.limit(lab.bed))
        taken, peak = _up_from_nothing(lab.bed)
        ups.append(taken)
        peaks.append(peak)
    limit, own = statistics.median(limits), statistics.median(ups)
    return {
        "limit_seconds": limit,
        "up_seconds": own,
        "up_over_limit": own / limit,
        "cli_peak_rss_mb": max(peaks),
    }


def stock(lab: Lab) -> Found:
    """Flux left to its own retries, over `up`."""
    if "up_seconds" not in lab.found:
        lab.found["up_seconds"], _ = _up_from_nothing(lab.bed)
    taken = by_hand.stock(lab.bed)
    return {"stock_seconds": taken, "stock_over_up": taken / lab.found["up_seconds"]}


def noop(lab: Lab) -> Found:
    """A second `up` with nothing to do, over `terraform plan` of the three stacks; the median of some rounds."""
    bed = lab.ready()
    bed.good("up")
    rounds = [(seconds(lambda: bed.good("up")), by_hand.plans(bed)) for _ in range(ROUNDS)]
    own, plans = (statistics.median(values) for values in zip(*rounds, strict=True))
    return {"noop_seconds": own, "plans_seconds": plans, "noop_over_plan": own / plans}


def recover(lab: Lab) -> Found:
    """`recover` after the cluster was lost, over the limit of `up`."""
    if "limit_seconds" not in lab.found:
        lab.found["limit_seconds"] = by_hand.limit(lab.bed)
    bed = lab.ready()
    taken = []
    for _ in range(ROUNDS):
        scenarios()["cluster-lost"].fault(bed, 1)
        taken.append(seconds(lambda: bed.good("recover", "--yes")))
    own = statistics.median(taken)
    return {"recover_seconds": own, "recover_over_limit": own / lab.found["limit_seconds"]}


def evidence(lab: Lab) -> Found:
    """Seconds that `recover --dry-run` collects evidence, by its own events: all is well, and the API hangs."""
    bed = lab.ready()
    well = _evidence(bed)
    damage = scenarios()["api-hang"].fault(bed, 1)
    try:
        hanging = _evidence(bed)
    finally:
        if damage.mend:
            damage.mend()
    return {"evidence_well_seconds": well, "evidence_hanging_seconds": hanging}


def fleet(lab: Lab) -> Found:
    """Three clusters by one `up --all`, over the time of one."""
    if "up_seconds" not in lab.found:
        lab.found["up_seconds"], _ = _up_from_nothing(lab.bed)
    return {"three_over_one": three_over_one(lab.bed, lab.found["up_seconds"])}


def synth(lab: Lab) -> Found:
    """The synthesis of a hundred clusters."""
    wall, growth = synthesis(lab.bed)
    return {"synth_100_seconds": wall, "synth_growth": growth}


def drills(lab: Lab) -> Found:
    """Minutes of every scenario on one bed of its own (`drill --scenario all`)."""
    command = Command([sys.executable, "-m", "blackstart", "drill", "--scenario", "all"], cwd=lab.root)
    return {"drill_all_minutes": seconds(lambda: run(command)) / 60}


def _up_from_nothing(bed: Bed) -> tuple[float, float]:
    """Seconds of `up` with nothing made before, not even the stacks, and the peak RSS (MB) of the command alone."""
    bed.empty()
    with Peak("blackstart", "up") as peak:
        taken = seconds(lambda: bed.good("up"))
    return taken, peak.mb


def _evidence(bed: Bed) -> float:
    done = bed.blackstart("-o", "json", "recover", "--dry-run")
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    times = [float(event["elapsed"]) for event in events if event.get("step") == "evidence"]
    return max(times) - min(times)
