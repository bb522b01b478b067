"""The rules: pure functions, evidence in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from blackstart.check.evidence import Evidence
from blackstart.check.finding import Finding
from blackstart.check.rules import machine, network, resources, secrets, source, wiring

Rule = Callable[[Evidence], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    *source.RULES,
    *wiring.RULES,
    *resources.RULES,
    *network.RULES,
    *secrets.RULES,
    *machine.RULES,
)


def judge(seen: Evidence) -> list[Finding]:
    """Everything the rules find, errors first, then by place."""
    findings = {finding for rule in RULES for finding in rule(seen)}
    return sorted(findings, key=lambda one: (one.severity, one.file, one.line, one.id, one.message))
