"""What must not be committed: private keys, Secrets in clear, files encrypted to the wrong people."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyrage import IdentityError, x25519

from blackstart.errors import ConfigError, KeyProblem, Unsafe
from blackstart.keys import rules
from blackstart.tools.age import THROWAWAY
from blackstart.tools.gitindex import Index
from blackstart.tools.manifests import split
from blackstart.tools.process import ENCODED_KEY
from blackstart.tools.sops import METADATA, SopsFile, clear_values

AGE_KEY = re.compile(r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{40,}", re.IGNORECASE)
PEM_KEY = re.compile(r"^\s*-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*$", re.MULTILINE)
SOPS_NAME = re.compile(r"\.sops\.(ya?ml|json)$")
MANIFEST = re.compile(r"\.(ya?ml|json)$")
MARK = "blackstart keys guard"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that must not be committed, and why."""

    file: str
    problem: str
    hint: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Judges files by their text: `text` reads one (None: not there), `exists` knows what lies beside it."""

    rules: list[rules.Rule]
    text: Callable[[str], str | None]
    exists: Callable[[str], bool]

    def refusals(self, names: Sequence[str]) -> list[Refusal]:
        """Everything that is wrong with these files."""
        found: list[Refusal] = []
        for name in names:
            text = self.text(name)
            if text is not None:
                found += [*_private_keys(name, text), *self._encryption(name, text)]
        return found

    def _encryption(self, name: str, text: str) -> Iterator[Refusal]:
        if Path(name).name == rules.FILE or not MANIFEST.search(name):
            return
        sealed = METADATA.search(text) is not None and "lastmodified" in text
        if SOPS_NAME.search(name) and not sealed:
            yield Refusal(name, "is not encrypted", f"sops encrypt --in-place {name}")
        elif sealed:
            yield from self._recipients(name, text)
        if name.startswith("gitops/") and not self._in_chart(name):
            yield from _clear_secrets(name, text)

    def _recipients(self, name: str, text: str) -> Iterator[Refusal]:
        try:
            found = set(SopsFile.parse(text, name).recipients)
        except KeyProblem as problem:
            yield Refusal(name, problem.message.removeprefix(f"{name} "), problem.hint)
            return
        rule = rules.rule_for(self.rules, name)
        wanted = set(rule.recipients) if rule else set()
        if rule is None:
            yield Refusal(name, f"is encrypted, but no rule of {rules.FILE} fits it", f"add a rule to {rules.FILE}")
        elif found != wanted:
            lacks = "".join(f"; lacks {one}" for one in sorted(wanted - found))
            more = "".join(f"; has {one} in addition" for one in sorted(found - wanted))
            what = f"its recipients differ from its rule in {rules.FILE}{lacks}{more}"
            yield Refusal(name, what, f"sops updatekeys {name}")

    def _in_chart(self, name: str) -> bool:
        return any(self.exists(f"{parent}/Chart.yaml") for parent in Path(name).parents if str(parent) != ".")


def staged_guard(root: Path) -> Guard:
    """A guard that sees what is staged; a file that is not in the index, as it lies on disk."""
    index = Index(root)
    tracked = set(index.tracked("*Chart.yaml"))

    def text(name: str) -> str | None:
        staged = index.text(name)
        path = root / name
        if staged is None and path.is_file():
            return path.read_text(errors="replace")
        return staged

    def exists(name: str) -> bool:
        return name in tracked or (root / name).is_file()

    return Guard(rules.rules_in(text(rules.FILE) or "creation_rules: []"), text, exists)


def look(root: Path, names: Sequence[str] = ()) -> list[Refusal]:
    """What is wrong with these files, or with all that is staged; a change of the rules concerns every file."""
    index = Index(root)
    chosen = [_inside(root, name) for name in names] or index.staged()
    if rules.FILE in chosen:
        chosen += [name for name in index.tracked("*.yaml", "*.yml", "*.json") if SOPS_NAME.search(name)]
    return staged_guard(root).refusals(list(dict.fromkeys(chosen)))


def install(root: Path) -> Path:
    """Write the hook `pre-commit`. Raises Unsafe when there is one that somebody else wrote."""
    path = Index(root).hooks() / "pre-commit"
    line = f"exec {shlex.quote(sys.executable)} -m {MARK}"
    if path.exists() and MARK not in path.read_text(errors="replace"):
        raise Unsafe(f"{path} exists and is not ours", hint=f"add this line to it: {line.replace('exec ', '')}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "w") as file:
        file.write(f"#!/bin/sh\n# Refuses private keys and Secrets in clear.\n{line}\n")
    return path


def _inside(root: Path, name: str) -> str:
    """A path as git names it. Raises ConfigError outside of the repository."""
    try:
        return str((root / name).resolve().relative_to(root.resolve()))
    except ValueError:
        raise ConfigError(f"{name} is not in {root}", hint="give files of this repository") from None


def _private_keys(name: str, text: str) -> Iterator[Refusal]:
    hint = f"git rm --cached {name}; if it was ever pushed: blackstart keys rotate"
    if any(not _published(match[0]) for match in AGE_KEY.finditer(text)):
        yield Refusal(name, "holds an Age private key", hint)
    joined = re.sub(r"\s", "", text)
    if any(part in joined for part in ENCODED_KEY):
        yield Refusal(name, "holds an Age private key in base64", hint)
    if PEM_KEY.search(text):
        yield Refusal(name, "holds a private key (PEM)", f"git rm --cached {name}; make a new key")


def _published(identity: str) -> bool:
    try:
        return str(x25519.Identity.from_str(identity.upper()).to_public()) == THROWAWAY
    except IdentityError:
        return False


def _clear_secrets(name: str, text: str) -> Iterator[Refusal]:
    for document in split(text, name):
        try:
            clear = clear_values(document)
        except KeyProblem:
            yield Refusal(name, f"has a Secret on line {document.place.line} that is not YAML", f"edit {name}")
            continue
        if clear:
            where = f"Secret/{document.name or '?'} in clear: {', '.join(sorted(clear))}"
            yield Refusal(name, where, f"sops encrypt --in-place {name}")
