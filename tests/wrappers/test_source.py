"""A repository that the lost cluster itself served: read from the fallback, or refused (issue 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.config import Workspace, load
from blackstart.config.load import FALLBACK
from blackstart.errors import ToolFailed, Unsafe
from blackstart.progress import Event, Progress, StepNote
from blackstart.recovery.source import ChooseSource, git_fact
from blackstart.steps.prepare import PinCommit
from blackstart.steps.run import Run
from tests.check.repository import CLUSTER, Repository, good

GONE = "https://localhost:1/platform/cluster.git"
ROUTE = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: git\nspec:\n  rules: [{host: localhost}]\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository whose remote answers nobody, and whose layer `apps` gives out that remote's host."""
    monkeypatch.setenv(FALLBACK, "")  # so that what a step sets is undone
    made = good(tmp_path / "repository")
    made.write("gitops/apps/route.yaml", ROUTE)
    made.edit(f"clusters/{CLUSTER}.yaml", "url: worktree", f"url: {GONE}")
    made.commit()
    return made


def with_fallback(repository: Repository) -> str:
    """Mirror the repository, and name the mirror in the cluster file; returns its URL."""
    mirror = repository.root.parent / "mirror.git"
    repository.edit(f"clusters/{CLUSTER}.yaml", f"url: {GONE}", f"url: {GONE}\n  fallback_url: file://{mirror}")
    repository.commit()
    repository.git("clone", "--quiet", "--bare", str(repository.root), str(mirror))
    return f"file://{mirror}"


def choose(repository: Repository, url: str = GONE) -> tuple[Run, StepNote, list[Event]]:
    """Choose the source as `recover` does before anything else."""
    told: list[Event] = []
    config, folder = load(repository.root, CLUSTER), repository.root.parent
    config = config.model_copy(update={"git": config.git.model_copy(update={"url": url})})
    run, note = Run(Workspace(repository.root, CLUSTER), config, Progress(told.append), folder), StepNote()
    ChooseSource().run(run, note)
    return run, note, told


def test_the_fallback_is_read_and_the_way_back_is_told(repository: Repository) -> None:
    mirror = with_fallback(repository)
    run, note, told = choose(repository)
    (warning,) = [event.reason for event in told if event.event == "warning"]
    assert f"{GONE} is served by layer apps of this very cluster: Flux reads from {mirror} for now" == warning
    assert run.notes == [f"when {GONE} serves again, switch back: blackstart --cluster {CLUSTER} up"]
    assert (run.config.git.url, note.skipped) == (mirror, False)
    assert load(repository.root, CLUSTER).git.url == mirror, "main.py must synthesize the same"
    PinCommit().run(run, StepNote())
    assert run.commit.sha == repository.git("rev-parse", "HEAD")
    assert git_fact(run).text.startswith(f"{mirror} main = {run.commit.short}")


def test_without_a_fallback_nothing_is_begun(repository: Repository) -> None:
    with pytest.raises(Unsafe, match="served by layer apps of this very cluster") as refused:
        choose(repository)
    assert refused.value.exit_code == 8
    assert "git.fallback_url" in refused.value.hint


def test_a_remote_that_the_cluster_does_not_serve_keeps_its_own_error(repository: Repository) -> None:
    repository.remove("gitops/apps/route.yaml")
    with_fallback(repository)
    with pytest.raises(ToolFailed, match="cannot read"):
        choose(repository)


def test_a_remote_that_answers_is_read(repository: Repository) -> None:
    mirror = with_fallback(repository)
    run, note, _ = choose(repository, url=mirror)
    assert (note.skipped, run.notes, run.config.git.url) == (True, [], mirror)
