"""Events in, spans out."""

from __future__ import annotations

import pytest

from blackstart.report import Timeline, duration
from tests.unit.sample_run import FAILED, STAGES, UP, step


def fold(events: list) -> Timeline:
    timeline = Timeline()
    for event in events:
        timeline(event)
    return timeline


def test_stages_layers_and_objects_are_each_below_their_parent() -> None:
    timeline = fold(UP)
    assert [span.label for span in timeline.children()] == ["cluster", "sops-age", "flux", "layers"]
    assert [span.label for span in timeline.children("layers")] == ["controllers", "certs", "apps"]
    assert [span.label for span in timeline.children("layers/apps")] == [
        "HelmRelease/gitlab",
        "HelmRelease/monitoring",
    ]
    assert timeline.releases() == 5
    assert timeline.releases("layers/apps/") == 2


def test_a_layer_that_waits_for_its_turn_has_not_begun() -> None:
    waiting = fold(STAGES).spans["layers/apps"]
    assert waiting.status == "pending"
    done = fold(UP).spans["layers/apps"]
    assert (done.started, done.ended) == (23.0, 29.2)


def test_an_object_makes_the_layer_it_belongs_to() -> None:
    timeline = fold([step(1.0, "layers/certs/HelmRelease/x", "ready")])
    assert [span.step for span in timeline.children("layers")] == ["layers/certs"]
    assert timeline.spans["layers"].open


def test_what_stays_open_lasts_until_now() -> None:
    timeline = fold(STAGES)
    assert timeline.spans["layers"].seconds(now=20.0) == pytest.approx(6.1)
    assert fold(FAILED).outcome == "failed"


def test_a_step_in_two_parts_lasts_from_its_first_to_its_last() -> None:
    parts = [(1.0, "started"), (3.0, "ready"), (5.0, "started"), (9.0, "ready")]
    span = fold([step(when, "layers", status) for when, status in parts]).spans["layers"]
    assert (span.started, span.ended) == (1.0, 9.0)


def test_a_step_that_failed_and_starts_again_begins_anew() -> None:
    timeline = fold([step(1.0, "flux", "started"), step(2.0, "flux", "failed"), step(5.0, "flux", "started")])
    assert timeline.spans["flux"].started == 5.0
    assert timeline.spans["flux"].ended is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (5.1, "5.1s"), (59.96, "1m0s"), (600, "10m0s"), (3720, "1h02m")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
