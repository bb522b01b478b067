"""Every disaster of `blackstart drill`, on one bed: broken, recovered, proven."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blackstart.drill.bed import Bed, lay
from blackstart.drill.carry_out import Drill
from blackstart.drill.scenario import Damage, Scenario, scenarios
from tests.desk import lay as lay_desk

SEEDED = [(scenario, 1 + number) for scenario in scenarios().values() for number in range(scenario.seeds)]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A throwaway clone of the project as it is in the work tree, Ready."""
    desk = lay_desk(tmp_path_factory.mktemp("drill"))
    made = lay(desk.root, "local", "HEAD", tmp_path_factory.mktemp("log") / "drill.log")
    try:
        made.make_ready()
        yield made
    finally:
        made.remove()


def drill(bed: Bed) -> Drill:
    """A drill that keeps quiet."""
    return Drill(bed, 1, lambda _: None, lambda _: None)


@pytest.mark.parametrize(("scenario", "seed"), SEEDED, ids=[f"{one.name}-{seed}" for one, seed in SEEDED])
def test_recovery(bed: Bed, scenario: Scenario, seed: int) -> None:
    result = drill(bed).one(scenario, seed)
    assert result.passed, f"{result.message}\n{bed.log.read_text()[-6000:]}"


def test_a_fault_that_recovery_does_not_see_fails_the_drill(bed: Bed) -> None:
    def fault(bed: Bed, seed: int) -> Damage:
        bed.api().delete("ConfigMap", "blackstart-drill-marker", "default")
        bed.api().patch("Secret", "grafana-admin", "monitoring", {"data": {"admin-password": "d3Jvbmc="}})
        bed.api().patch("Kustomization", "apps", "flux-system", {"spec": {"interval": "1h"}})
        return Damage()

    result = drill(bed).one(Scenario("unseen", fault), 1)
    assert not result.passed
    assert "marker is gone" in result.message
