"""The report's page in a real browser: no console message, nothing loaded, readable wide and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.config import Workspace
from blackstart.report import history, open_run
from blackstart.report.page import page as render
from tests.browser.devtools import Page
from tests.unit.sample_run import BEGAN, FAILED, UP, step

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
PICTURES = Path("tmp/pictures")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on PATH (Debian: apt-get install chromium)"),
    pytest.mark.timeout(180),
]
EVIL = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(CHROMIUM, tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a failed run with a history, and markup in every text that comes from outside."""
    ws = Workspace(tmp_path_factory.mktemp("repository"), "local")
    for index, (command, outcome) in enumerate([("up", "ready"), ("recover", "ready"), ("up", "failed")] * 4):
        began = BEGAN + index * 9000
        record = open_run(ws, command, clock=iter([began, began + 20 + index]).__next__)
        for event in [*(FAILED if outcome == "failed" else UP), step(61.0, f"layers/{EVIL}", "failed", EVIL * 3)]:
            record(event)
        record.finish(outcome, "4f2c1ab9d3e1", {"layers": 3, "secrets": 7}, [EVIL])
    runs = history(ws)
    path = ws.root / "report.html"
    path.write_text(render(runs[-1], runs), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_loads_clean_and_fits(browser: Page, html: Path, width: int, dark: bool) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.open(html)
    browser.look(PICTURES / f"report-{width}-{'dark' if dark else 'light'}.png", width=width, dark=dark)
    assert browser.problems == []
    assert browser.value("document.title") == "up · local · failed"
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.scripts.length + document.images.length") == 0
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 24, 28)" if dark else "rgb(251, 250, 247)")


def test_every_bar_stays_inside_its_track(browser: Page, html: Path) -> None:
    browser.open(html)
    outside = """[...document.querySelectorAll('.bar')].filter(svg => {
        const fill = svg.querySelector('.fill')?.getBoundingClientRect(), all = svg.getBoundingClientRect();
        return fill && (fill.width < 1 || fill.left < all.left - 1 || fill.right > all.right + 1);
    }).length"""
    assert browser.value("document.querySelectorAll('.bar .fill').length") > 8
    assert browser.value(outside) == 0


def test_text_is_readable_on_a_phone(browser: Page, html: Path) -> None:
    browser.open(html)
    browser.look(PICTURES / "phone.png", width=390, dark=False)
    smallest = "Math.min(...[...document.querySelectorAll('main *')].filter(e => e.textContent.trim())"
    assert browser.value(f"{smallest}.map(e => parseFloat(getComputedStyle(e).fontSize)))") >= 12
