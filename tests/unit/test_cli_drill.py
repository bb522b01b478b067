"""A drill's record has a span for each scenario."""

from __future__ import annotations

from blackstart.cli.drill import Stages
from blackstart.progress import Progress
from blackstart.report import Timeline


def test_each_scenario_is_a_span_that_ends_as_it_went() -> None:
    timeline = Timeline()
    stages = Stages(Progress(timeline))
    stages.begin("bringing a throwaway cluster up")
    stages.begin("cluster-lost")
    stages.end("ready", "marker gone as expected")
    stages.begin("wrong-key")
    stages.end("failed", "exit code 0, not 7")
    stages.end("failed")
    told = [(span.label, span.status, span.reason) for span in timeline.children()]
    assert told == [
        ("bringing a throwaway cluster up", "ready", ""),
        ("cluster-lost", "ready", "marker gone as expected"),
        ("wrong-key", "failed", "exit code 0, not 7"),
    ]


def test_a_drill_that_breaks_off_leaves_nothing_open() -> None:
    timeline = Timeline()
    stages = Stages(Progress(timeline))
    stages.begin("bringing a throwaway cluster up")
    stages.end("failed")
    assert [span.open for span in timeline.children()] == [False]
