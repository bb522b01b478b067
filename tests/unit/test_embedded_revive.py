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
    whole = dict.fromkeys(control_plane.COMPONENTS, 1)
    monkeypatch.setattr("blackstart.embedded.processes.names", lambda place: whole)
    control_plane.revive(place)
    assert started == []
    del whole["kube-controller-manager"]
    control_plane.revive(place)
    assert started == [("start", "cluster")]
