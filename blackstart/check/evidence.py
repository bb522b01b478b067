"""Everything the rules look at, gathered once: a rule reads this and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blackstart.config import ClusterConfig
from blackstart.config.load import line_of
from blackstart.layers import Built, Layer, Wiring
from blackstart.tools.git import Commit
from blackstart.tools.manifests import Document, Place


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that did not work: what, and what to do next."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Remote:
    """What the remote said; `head` is the branch's commit id, blank when there is a problem."""

    head: str = ""
    no_branch: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The commit: what Flux sees of it (`files`) and what not (`hidden`); `remote` is None for the worktree."""

    path_exists: bool = True
    dirty: bool = False
    files: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    remote: Remote | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that a HelmRelease of `layer` asks for; `kind` is the kind of its source, `crds` are (group, kind)."""

    layer: str
    release: str
    place: Place
    kind: str
    where: str
    exists: bool = True
    problem: str = ""
    crds: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Network:
    """The CNI that is seeded: its HelmRelease (blank: there is none), what the seed cannot read, which objects or
    fields of the release differ from the seed."""

    release: str = ""
    problem: Problem | None = None
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """The private key, by its public side: `recipients` of what was found, or the problem."""

    recipients: tuple[str, ...] = ()
    published: bool = False
    malformed: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A SOPS file: who can open it, who should (None: no rule fits), and whether our key does."""

    place: Place
    recipients: tuple[str, ...]
    wanted: tuple[str, ...] | None
    opens: bool | None = None
    intact: bool | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """The data keys of the Secret `sops-age` in the running cluster: name, and whether it holds an Age key."""

    keys: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine: missing tools, free bytes, the clock's distance to the API server's in seconds."""

    tools: Mapping[str, Problem] = field(default_factory=dict)
    provider: Problem | None = None
    free: int = 1 << 40
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class Backups:
    """When the state last changed and when it was last backed up, in seconds since the epoch (None: never)."""

    state: float | None = None
    newest: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One look at the commit, the key, the machine and (where it answers) the cluster."""

    cluster: str
    config: ClusterConfig
    lines: Mapping[str, Any]
    commit: Commit
    source: Source = Source()
    wiring: Wiring | None = None
    wiring_problem: Problem | None = None
    documents: tuple[Document, ...] = ()
    charts: tuple[Chart, ...] = ()
    network: Network | None = None
    key: Key = Key()
    secrets: tuple[Encrypted, ...] = ()
    plaintext: tuple[Document, ...] = ()
    rules_problem: Problem | None = None
    live: Live | None = None
    machine: Machine = Machine()
    backups: Backups = Backups()

    def setting(self, *keys: str) -> Place:
        """Where something stands in the cluster file."""
        return Place(f"clusters/{self.cluster}.yaml", line_of(self.lines, keys))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that were found."""
        return self.wiring.layers if self.wiring else ()

    def built(self, layer: Layer) -> Built:
        """What a layer becomes; nothing when it lies in another repository."""
        return self.wiring.built.get(layer.name, Built()) if self.wiring else Built()

    def place(self, kind: str, name: str, fallback: Place) -> Place:
        """Where an object is written, as far as the commit shows it."""
        found = (doc.place for doc in self.documents if (doc.kind, doc.name) == (kind, name))
        return next(found, fallback)

    def above(self, layer: Layer) -> Iterator[Layer]:
        """Every layer that must be Ready before this one."""
        named = {one.name: one for one in self.layers}
        left, seen = _waits_for(layer, named), {layer.name}
        while left:
            name = left.pop()
            if name in named and name not in seen:
                seen.add(name)
                left += [*_waits_for(named[name], named), *(one.name for one in self.layers if one.parent == name)]
                yield named[name]


def _waits_for(layer: Layer, named: Mapping[str, Layer]) -> list[str]:
    """A layer made by another one comes after what that one waits for."""
    parent = named.get(layer.parent)
    return [*layer.depends_on, *(parent.depends_on if parent else ())]


def at(layer: Layer) -> Place:
    """Where a layer's Kustomization stands."""
    return Place(layer.file, layer.line)
