"""Drill results as JUnit XML, which CI systems show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from blackstart.report.drills import DrillResult


def write_junit(path: Path, results: Sequence[DrillResult]) -> None:
    """Write one test case a scenario; a failure carries the message and the path of its log."""
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", {"name": "blackstart drill", **_numbers(results)})
    for result in results:
        case = SubElement(suite, "testcase", classname="drill", name=result.scenario, time=f"{result.seconds:.3f}")
        if result.recovered_seconds is not None:
            properties = SubElement(case, "properties")
            SubElement(properties, "property", name="recovered_seconds", value=f"{result.recovered_seconds:.3f}")
        if not result.passed:
            failure = SubElement(case, "failure", message=_legal(result.message))
            failure.text = _legal(f"{result.message}\nlog: {result.log}" if result.log else result.message)
    indent(suites)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _numbers(results: Sequence[DrillResult]) -> dict[str, str]:
    failures = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}


def _legal(text: str) -> str:
    """XML 1.0 section 2.2 has no control characters, escaped or not."""
    return "".join(char for char in text if char in "\t\n\r" or (char.isprintable() and char != "\x7f"))
