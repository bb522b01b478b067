"""Who must be able to decrypt what: `.sops.yaml` and `sops.recipients`, read and edited with their comments kept."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import FoldedScalarString

from blackstart.errors import ConfigError

FILE = ".sops.yaml"
NEW = """\
# Who can decrypt the Secrets in gitops/. The first rule whose path matches is used by `sops encrypt`.
creation_rules:
  - path_regex: gitops/.*\\.sops\\.ya?ml$
    encrypted_regex: ^(data|stringData)$
    mac_only_encrypted: true
    age: ""
  - path_regex: keys/.*\\.sops\\.ya?ml$ # server tokens of k3s clusters
    age: ""
"""
LIST_ITEM = re.compile(r"^( *)[^\s#-][^\n]*:[^\n]*\n(?:\s*#[^\n]*\n)*( *)- ", re.MULTILINE)

Change = Callable[[list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One of `creation_rules`: which paths, and the Age recipients that must be in a file there."""

    path: re.Pattern[str] | None
    recipients: tuple[str, ...]

    def fits(self, name: str) -> bool:
        """Whether the rule is about this file; a rule without `path_regex` is about all."""
        return self.path is None or bool(self.path.search(name))


def rules_in(text: str) -> list[Rule]:
    """The rules of a `.sops.yaml`. Raises ConfigError when it is not one."""
    try:
        return [_rule(one) for one in _rules_of(_load(text, FILE))]
    except re.error as error:
        raise ConfigError(f"{FILE}: path_regex is not a pattern: {error}", hint=f"edit {FILE}") from None


def rule_for(rules: Iterable[Rule], name: str) -> Rule | None:
    """The first rule that fits, as sops chooses it."""
    return next((rule for rule in rules if rule.fits(name)), None)


def edit_rules(text: str, change: Change) -> str:
    """`.sops.yaml` with every rule's Age recipients put through `change`; nothing else is touched."""
    data = _load(text, FILE)
    before = [_recipients(rule.get("age")) for rule in _rules_of(data)]
    for rule, old in zip(_rules_of(data), before, strict=True):
        new = change(list(old))
        if new != old:
            rule["age"] = _like(rule.get("age"), new)
    changed = [_recipients(rule.get("age")) for rule in _rules_of(data)] != before
    return _dump(data, text) if changed else text


def edit_cluster(text: str, name: str, change: Change) -> str:
    """A cluster file with `sops.recipients` put through `change`; nothing else is touched."""
    data = _load(text, f"clusters/{name}.yaml")
    kept = data.setdefault("sops", {}).setdefault("recipients", [])
    new = change([str(one) for one in kept])
    if new == list(kept):
        return text
    for gone in [one for one in kept if one not in new]:
        kept.remove(gone)
    for place, one in enumerate(new):
        if one not in kept:
            kept.insert(place, one)
    return _dump(data, text)


def _rules_of(data: Any) -> list[Any]:
    found = data.get("creation_rules") if isinstance(data, dict) else None
    if not isinstance(found, list) or not all(isinstance(rule, dict) for rule in found):
        raise ConfigError(f"{FILE} has no list creation_rules", hint=f"edit {FILE}: getsops.io/docs")
    return found


def _rule(data: Any) -> Rule:
    pattern = data.get("path_regex")
    return Rule(re.compile(str(pattern)) if pattern else None, tuple(_recipients(data.get("age"))))


def _recipients(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def _like(old: Any, recipients: list[str]) -> Any:
    """The recipients in the form that the rule had: a list, or a string in one or several lines."""
    if isinstance(old, list):
        return recipients
    joined = ", ".join(recipients)
    if not isinstance(old, FoldedScalarString) and len(recipients) < 2:
        return joined
    folded = FoldedScalarString(joined)
    folded.fold_pos = [match.start() for match in re.finditer(" ", joined)]
    return folded


def _yaml(text: str) -> YAML:
    """Round trip, with the indentation that the text has."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    item = LIST_ITEM.search(text)
    offset = max(len(item[2]) - len(item[1]), 0) if item else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _load(text: str, name: str) -> Any:
    try:
        data = _yaml(text).load(text)
    except YAMLError as error:
        raise ConfigError(f"{name} is not YAML: {getattr(error, 'problem', error)}", hint=f"edit {name}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{name} is not a mapping of keys", hint=f"edit {name}")
    return data


def _dump(data: Any, text: str) -> str:
    out = io.StringIO()
    _yaml(text).dump(data, out)
    return out.getvalue()
