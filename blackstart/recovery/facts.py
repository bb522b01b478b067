"""What is found before anything changes: plain values, so that the decision over them is a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Mark:
    """Which cluster: kube-system's UID and the sha256 of its CA (design, section 6)."""

    uid: str
    ca_sha256: str


@dataclass(frozen=True, slots=True)
class StateFact:
    """A stack's state: `whole` is False for one that cannot be read; `forgettable` what it would forget with the
    cluster; `backup` a whole backup of the same lineage, where it is broken (its
    addresses then are the ones given); `lock` says who holds it, blank when nobody does, or (not `lock_seen`: a remote
    one) when that shows only once it is to be taken."""

    stack: str
    exists: bool = False
    whole: bool = True
    serial: int = 0
    lineage: str = ""
    forgettable: tuple[str, ...] = ()
    mark: Mark | None = None
    backup: Path | None = None
    lock: str = ""
    lock_seen: bool = True


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """What the cluster's provider says; `known` is False when it could not tell, `blank` are hosts of a cluster that
    exists which have nothing of it."""

    known: bool
    exists: bool = False
    running: bool = False
    proof: str = ""
    blank: tuple[str, ...] = ()


Answer = Literal["answers", "refuses", "silent", "denied", "unknown"]


@dataclass(frozen=True, slots=True)
class ApiFact:
    """What the API said: `unknown` when no kubeconfig says where it is; `provider_made` when the kubeconfig in use is
    the one that the provider gives for the cluster it made; `from_provider` when that is not the one in our file."""

    answer: Answer
    endpoint: str = ""
    text: str = ""
    live: Mark | None = None
    provider_made: bool = False
    from_provider: bool = False
    flux: str = ""
    key: str = ""
    key_right: bool = False


@dataclass(frozen=True, slots=True)
class GitFact:
    """Where Flux reads from; `served_by` names the layer of this very cluster that serves it."""

    text: str
    served_by: str = ""
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the verdict is drawn from; `seconds` is how long the looking took."""

    states: tuple[StateFact, ...]
    provider: ProviderFact
    api: ApiFact
    recorded: Mark | None
    key: str
    git: GitFact
    seconds: float = 0.0
