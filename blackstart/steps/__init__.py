"""Steps change: each is a frozen value with a name, idempotent, run in the order of a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from blackstart.progress import StepNote
from blackstart.steps.run import Run


class Step(Protocol):
    """One line of a recipe; `name` is what the operator sees."""

    @property
    def name(self) -> str:
        """The stage it belongs to, such as `flux`."""

    def run(self, run: Run, note: StepNote) -> None:
        """Do it, or find that it is done. Raises BlackstartError."""


def execute(steps: Iterable[Step], run: Run) -> None:
    """Run the steps in order; the first that fails ends the run."""
    for step in steps:
        with run.progress.step(step.name) as note:
            step.run(run, note)
