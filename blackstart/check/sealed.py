"""Gathers what is encrypted and what should be: opened in memory, nothing kept but yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from blackstart.check.evidence import Encrypted, Key, Problem
from blackstart.config import Workspace
from blackstart.errors import ConfigError, KeyProblem
from blackstart.keys import rules
from blackstart.tools import age
from blackstart.tools.age import THROWAWAY, FoundKey
from blackstart.tools.manifests import Document, Place
from blackstart.tools.sops import SopsFile, clear_values, encrypted_names


@dataclass(frozen=True, slots=True)
class KeyLook:
    """The key as evidence, and (for opening) itself."""

    key: Key
    found: FoundKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """All SOPS files, the Secrets in clear, and what is wrong with `.sops.yaml`."""

    secrets: tuple[Encrypted, ...]
    plaintext: tuple[Document, ...]
    rules_problem: Problem | None = None


def look_for_key(ws: Workspace, found: FoundKey | None = None) -> KeyLook:
    """The key that a run has found already, else what the usual places hold."""
    try:
        own = found or age.read(ws)
    except KeyProblem as problem:
        malformed = not isinstance(problem, age.NoKey)
        return KeyLook(Key(malformed=malformed, problem=Problem(problem.message, problem.hint)))
    return KeyLook(Key(own.recipients, published=THROWAWAY in own.recipients), own)


def look(export: Path, rules_text: str | None, documents: Sequence[Document], key: KeyLook) -> Sealed:
    """Look at every SOPS file and every Secret that Flux sees; `rules_text` is `.sops.yaml` at the commit."""
    known: list[rules.Rule] = []
    problem = None
    try:
        known = rules.rules_in(rules_text) if rules_text else []
    except ConfigError as error:
        problem = Problem(error.message, error.hint)
    secrets = tuple(_secret(export, name, known, key.found) for name in encrypted_names(export))
    return Sealed(secrets, tuple(filter(_in_clear, documents)), problem)


def _in_clear(document: Document) -> bool:
    try:
        return bool(clear_values(document))
    except KeyProblem:  # the layer does not build either, and says why
        return False


def _secret(export: Path, name: str, known: Sequence[rules.Rule], key: FoundKey | None) -> Encrypted:
    rule = rules.rule_for(known, name)
    place = Place(name, 1)
    seen = Encrypted(place, (), rule.recipients if rule else None)
    try:
        file = SopsFile.parse((export / name).read_text(errors="replace"), name)
    except KeyProblem as problem:
        return replace(seen, problem=problem.message)
    return _opened(replace(seen, recipients=file.recipients), file, key)


def _opened(seen: Encrypted, file: SopsFile, key: FoundKey | None) -> Encrypted:
    if key is None:
        return seen
    try:
        file.data_key(key)
    except KeyProblem:
        return replace(seen, opens=False)
    try:
        file.verify(key)
    except KeyProblem as problem:
        return replace(seen, opens=True, intact=False, problem=problem.message)
    return replace(seen, opens=True, intact=True)
