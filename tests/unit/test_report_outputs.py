"""The report as a tree, a page and a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from blackstart.config import Workspace
from blackstart.report import drills, history, last
from blackstart.report.chart import ticks
from blackstart.report.page import page
from blackstart.report.picture import picture
from blackstart.report.tree import tree
from tests.unit.sample_run import FAILED, STAGES, UP, step
from tests.unit.test_report_drills import RESULTS
from tests.unit.test_report_record import recorded

EVIL = "<script>x</script>\x1b"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "local")


def test_the_tree_has_a_bar_for_each_span_on_one_axis(ws: Workspace) -> None:
    lines = tree(recorded(ws, UP)).splitlines()
    assert lines[0] == "up · local · commit 4f2c1ab · ready in 29.2s · 2026-11-24 00:08 UTC"
    layers, controllers = (next(line for line in lines if f"✔ {name} " in line) for name in ("layers", "controllers"))
    assert layers.index("█") == controllers.index("█")
    assert layers.count("█") > 2 * controllers.count("█") > 4
    assert "   ✔ HelmRelease/cilium " in "\n".join(lines[7:9])
    assert lines[-2] == " verified  3 layers · 5 releases · 7 secrets"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("run", [UP, FAILED, STAGES, STAGES[:2]])
def test_no_line_of_the_tree_is_too_long(ws: Workspace, run: list, width: int) -> None:
    lines = tree(recorded(ws, run), width).splitlines()
    assert max(len(line) for line in lines[1:-2]) <= width


def test_the_tree_says_why_it_failed(ws: Workspace) -> None:
    text = tree(recorded(ws, FAILED, outcome="failed"))
    assert "· failed after 29.2s ·" in text
    assert "   not Ready after 45.0s" in text


def test_the_page_escapes_all_that_comes_from_outside(ws: Workspace) -> None:
    report = recorded(ws, [*UP, step(30.0, f"layers/{EVIL}", "failed", EVIL)])
    drills.write(report.folder, [drills.DrillResult(EVIL, False, 1.0, None, EVIL)])
    html = page(report, [report])
    assert "<script" not in html
    assert "\x1b" not in html
    assert html.count("&lt;script&gt;x") >= 4


def test_the_page_shows_layers_releases_drills_and_history(ws: Workspace) -> None:
    recorded(ws, FAILED, outcome="failed")
    report = recorded(ws, UP)
    drills.write(report.folder, RESULTS)
    html = page(report, history(ws))
    for text in ("controllers", "HelmRelease/gitlab", "Drills: 2 of 3 passed", "<b>19.8s</b>worst recovery", "29.2s"):
        assert text in html
    assert " verified  2 of 3 passed · worst recovery 19.8s" in tree(report)
    assert html.count('<rect class="good up"') == 1
    assert html.count('<rect class="bad up"') == 1


def test_in_the_history_a_drill_counts_with_its_worst_recovery(ws: Workspace) -> None:
    report = recorded(ws, UP)
    drills.write(report.folder, RESULTS)
    assert "the longest took 19.8s" in page(report, history(ws))


def test_the_page_says_what_was_verified(ws: Workspace) -> None:
    html = page(recorded(ws, UP), [])
    for tile in ("<b>3</b>layers verified", "<b>5</b>releases", "<b>7</b>secrets verified"):
        assert tile in html


@pytest.mark.parametrize("run", [[], STAGES[:1], STAGES])
def test_a_run_that_got_nowhere_has_a_page_too(ws: Workspace, run: list) -> None:
    assert "</html>" in page(recorded(ws, run, outcome="failed"), [])


def test_the_picture_is_svg_that_loads_nothing(ws: Workspace) -> None:
    recorded(ws, UP)
    report = last(ws)
    assert report is not None
    svg = picture(report)
    assert "url(http" not in svg
    text = "".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ")
    assert "Ready in 29.2s · 3 layers" in text
    assert "HelmRelease/cilium" not in text
    moment = "".join(ElementTree.fromstring(picture(report, at=15.0)).itertext()).replace("\xa0", " ")
    assert "HelmRelease/cilium" in moment
    assert "Ready in" not in moment


@pytest.mark.parametrize("total", [0.0, 0.3, 29.2, 61.0, 4000.0, 90000.0])
def test_ticks_are_few_and_inside(total: float) -> None:
    marks = ticks(total)
    assert marks[0] == 0.0
    assert len(marks) <= 6
    assert marks[-1] <= total
