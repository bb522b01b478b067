"""What `keys verify` says about the Secret in the cluster, compared by public recipients."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from blackstart.keys.verify import _of_the_key as problems
from blackstart.keys.verify import deployed_commit, live_key
from blackstart.tools import age

OURS, OTHER = age.generate(), age.generate()


class Holds:
    """A cluster with one Secret (or none)."""

    def __init__(self, data: dict[str, str] | None) -> None:
        self.data = data

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        assert (kind, name, namespace) == ("Secret", "sops-age", "flux-system")
        return None if self.data is None else {"data": self.data}


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"age.agekey": coded(f"# c\n{OURS.identities}")}, []),
        (None, ["is not there"]),
        ({}, ["lacks the key"]),
        ({"age.key": coded(OURS.identities)}, ["lacks the key"]),
        ({"age.agekey": coded(OTHER.identities)}, ["lacks the key", "not expected"]),
        ({"age.agekey": coded(OURS.identities), "b.agekey": coded("x")}, ["b.agekey is not an Age key"]),
        ({"age.agekey": "%%%"}, ["is not an Age key", "lacks"]),
        ({"age.agekey": coded(OURS.identities + OTHER.identities)}, ["not expected"]),
    ],
)
def test_the_secret(data: dict[str, str] | None, said: list[str]) -> None:
    found = list(problems(live_key(Holds(data)), OURS))
    assert len(found) == len(said)
    for text, part in zip(found, said, strict=True):
        assert part in text
        assert "AGE-SECRET" not in text


def test_the_identities_do_not_show() -> None:
    live = live_key(Holds({"age.agekey": coded(OURS.identities)}))
    assert OURS.identities.strip() not in repr(live)
    assert live.key.recipients == OURS.recipients


def test_the_deployed_commit() -> None:
    class Source:
        def __init__(self, status: object) -> None:
            self.status = status

        def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
            return {"status": self.status}

    assert deployed_commit(Source({"artifact": {"revision": "main@sha1:abc"}})) == "abc"
    assert deployed_commit(Source(None)) == ""
