import time
from pathlib import Path
from typing import Any

import pytest

from blackstart.config import Workspace
from blackstart.embedded import control_plane, lifecycle
from blackstart.embedded.place import Place
from blackstart.errors import GateTimeout


def test_while_the_api_is_awaited_programs_that_gave_up_are_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[float] = []
    revived: list[Place] = []

    def answers(kubeconfig: Path, seconds: float, *, hint: str) -> Any:
        asked.append(seconds)
        if not revived:
            raise GateTimeout("nothing yet")
        return "the API"

    monkeypatch.setattr(lifecycle, "answers", answers)
    monkeypatch.setattr(control_plane, "revive", revived.append)
    assert lifecycle._answers(Place(Workspace(tmp_path, "local")), 300.0) == "the API"
    assert len(asked) == 2
    assert len(revived) == 1


def test_only_programs_that_are_missing_make_kwokctl_start_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(control_plane, "_kwokctl", lambda place, *words: started.append(words))
    place = Place(Workspace(tmp_path, "local"))
    monkeypatch.setattr("blackstart.embedded.processes.named", lambda place, name: None)
    whole = dict.fromkeys(control_plane.COMPONENTS, 1)
    monkeypatch.setattr("blackstart.embedded.processes.names", lambda place: whole)
    control_plane.revive(place)
    assert started == []
    del whole["kube-controller-manager"]
    control_plane.revive(place)
    assert started == [("start", "cluster")]


class Manager:
    """A kube-controller-manager that started so many seconds ago."""

    def __init__(self, age: float) -> None:
        self.started = time.time() - age

    def create_time(self) -> float:
        return self.started


@pytest.mark.parametrize(("age", "watched"), [(3.0, False), (9.5, True), (60.0, False)])
def test_a_manager_that_may_be_giving_up_just_now_is_watched_past_that_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, age: float, watched: bool
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("blackstart.embedded.processes.named", lambda place, name: Manager(age))
    monkeypatch.setattr("blackstart.embedded.processes.names", lambda place: dict.fromkeys(control_plane.COMPONENTS, 1))
    monkeypatch.setattr("psutil.wait_procs", lambda procs, timeout: waited.append(timeout))
    control_plane.revive(Place(Workspace(tmp_path, "local")))
    assert bool(waited) is watched
    assert all(0 < seconds <= control_plane.GIVES_UP[1] for seconds in waited)
