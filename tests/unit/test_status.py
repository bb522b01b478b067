from typing import Any

from blackstart.status import latched


def found(*, ready: bool, matches: bool = True, applied: bool = True) -> dict[str, Any]:
    return {
        "ready": ready,
        "stacks": [{"name": "local-flux", "applied": applied}],
        "layers": [{"name": "apps", "ready": ready, "reason": "Progressing"}],
        "secrets": {"sops_age": {"matches": matches}},
    }


def test_a_layer_that_was_seen_ready_stays_so_while_flux_looks_at_it_anew() -> None:
    assert latched(found(ready=False))["ready"]
    assert latched(found(ready=False))["layers"][0]["ready"]


def test_key_and_stacks_are_not_waited_for_and_count_as_they_are() -> None:
    assert not latched(found(ready=True, matches=False))["ready"]
    assert not latched(found(ready=True, applied=False))["ready"]


def test_without_layers_nothing_is_ready() -> None:
    assert not latched({**found(ready=True), "layers": []})["ready"]
