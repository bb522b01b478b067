"""Plays scenarios one after the other on one bed, and proves each result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.drill.bed import Bed, last_words
from blackstart.drill.proof import Before, problems
from blackstart.drill.scenario import Damage, Scenario
from blackstart.errors import BlackstartError
from blackstart.report.drills import DrillResult
from blackstart.tools.process import Completed

REFUSED = (7, 8, 9)
KEPT = {"kept": True, "gone": False, "either": None}


@dataclass(frozen=True, slots=True)
class Drill:
    """The scenarios to play; `told` hears what is going on and each result."""

    bed: Bed
    seed: int
    doing: Callable[[str], None]
    told: Callable[[DrillResult], None]

    def play(self, scenarios: Sequence[Scenario]) -> list[DrillResult]:
        """Bring the bed up once, then play; each scenario begins from the same Ready picture."""
        self.doing("bringing a throwaway cluster up")
        self.bed.make_ready()
        results = []
        for scenario in scenarios:
            for number in range(scenario.seeds):
                results.append(self.one(scenario, self.seed + number))
                self.told(results[-1])
        return results

    def one(self, scenario: Scenario, seed: int) -> DrillResult:
        """Play one scenario from the Ready picture, and judge it."""
        label = f"{scenario.name} seed={seed}" if scenario.seeds > 1 else scenario.name
        self.doing(label)
        began = time.monotonic()
        try:
            self._begin(scenario)
            damage = scenario.fault(self.bed, seed)
            before = Before.of(self.bed)
            broken = time.monotonic()
            done = self.bed.blackstart(*scenario.command, env=damage.env, largest_file=damage.largest_file)
            seconds = time.monotonic() - broken
            wrong = before.changes(Before.of(self.bed), refused=done.code in REFUSED)
            wrong += self._judge(scenario, damage, done)
        except BlackstartError as error:
            return DrillResult(label, False, time.monotonic() - began, None, error.message, str(self.bed.log))
        total = time.monotonic() - began
        if wrong:
            return DrillResult(label, False, total, None, "; ".join(wrong[:3]), str(self.bed.log))
        recovered = seconds if scenario.exit_code == 0 else None
        return DrillResult(label, True, total if recovered else seconds, recovered, _proven(scenario))

    def _begin(self, scenario: Scenario) -> None:
        self.bed.extra.clear()
        self.bed.restore(start=not scenario.from_nothing)
        if scenario.from_nothing:
            self.bed.empty()

    def _judge(self, scenario: Scenario, damage: Damage, done: Completed) -> list[str]:
        if damage.mend:
            damage.mend()
        if done.code != scenario.exit_code:
            return [f"exit code {done.code}, not {scenario.exit_code}: {last_words(done)}"]
        if scenario.says and scenario.says not in done.stdout + done.stderr:
            return [f"it does not say {scenario.says!r}"]
        if scenario.exit_code == 6:
            return [] if self.bed.marked() == (scenario.marker == "kept") else ["the marker is not as expected"]
        return problems(self.bed, marker=KEPT[scenario.marker])


def _proven(scenario: Scenario) -> str:
    marker = {"kept": "marker kept", "gone": "marker gone as expected", "either": ""}[scenario.marker]
    if scenario.exit_code == 0:
        return marker
    if scenario.exit_code == 6:
        return f"reported (exit 6), {marker}"
    if scenario.exit_code in REFUSED:
        return f"refused (exit {scenario.exit_code}), nothing changed"
    return f"failed (exit {scenario.exit_code}), then recovered, {marker}"


def log_path(folder: Path) -> Path:
    """Where everything that a drill runs is written."""
    return folder / "logs" / "drill.log"
