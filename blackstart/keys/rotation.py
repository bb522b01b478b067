"""Where a rotation of the key stands, derived from what is seen: the key file, `.sops.yaml`, the encrypted files.

The order that never leaves the cluster unable to decrypt is that of issue 5; `steps.rotate` walks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from blackstart.config.workspace import write_private
from blackstart.errors import ConfigError, KeyProblem
from blackstart.keys import custody, rules
from blackstart.tools import age
from blackstart.tools.age import FoundKey
from blackstart.tools.gitindex import Index
from blackstart.tools.sops import METADATA, SopsFile

MARK = re.compile(r"^# rotating from (age1\w+) to (age1\w+)$", re.MULTILINE)


class Phase(Enum):
    """Which recipients the rules name."""

    OLD = "the old one in at least one rule alone"
    BOTH = "the old one never without the new one"
    NEW = "the new one alone"


@dataclass(frozen=True, slots=True)
class Rotation:
    """From which recipient to which."""

    old: str
    new: str

    def phase(self, rules_text: str | None) -> Phase:
        """What a `.sops.yaml` says. Raises ConfigError when it names neither."""
        sets = [set(rule.recipients) for rule in rules.rules_in(rules_text or "creation_rules: []")]
        old = [one for one in sets if self.old in one]
        if any(self.new not in one for one in old):
            return Phase.OLD
        if old:
            return Phase.BOTH
        if any(self.new in one for one in sets):
            return Phase.NEW
        raise ConfigError(
            f"no rule of {rules.FILE} names {self.old}: nothing is encrypted to this key", hint=f"edit {rules.FILE}"
        )

    def add_new(self, recipients: list[str]) -> list[str]:
        """The new recipient directly before the old one, wherever that is."""
        if self.old not in recipients or self.new in recipients:
            return recipients
        place = recipients.index(self.old)
        return [*recipients[:place], self.new, *recipients[place:]]

    def drop_old(self, recipients: list[str]) -> list[str]:
        """Without the old recipient, where the new one is."""
        return [one for one in recipients if one != self.old or self.new not in recipients]


def pending(path: Path) -> Rotation | None:
    """The rotation that a key file says is under way."""
    match = MARK.search(path.read_text())
    return Rotation(match[1], match[2]) if match else None


def begin(path: Path, key: FoundKey, recipients: tuple[str, ...]) -> Rotation:
    """Put a new key beside the old one into the key file; `recipients` are those of the cluster file."""
    old = next(one for one in key.recipients if one in recipients)
    new = age.generate()
    both = age.parse(key.identities + new.identities, key.where, path)
    rotation = Rotation(old, new.recipients[0])
    write_private(path, f"# rotating from {rotation.old} to {rotation.new}\n{custody.text_of(both)}")
    return rotation


def retire(path: Path, key: FoundKey, rotation: Rotation) -> Path:
    """Take the old key out of the key file; it is kept aside, for the history of the repository needs it."""
    kept = path.with_name(f"{path.stem}.retired{path.suffix}")
    old, rest = _divided(key, rotation)
    earlier = kept.read_text() if kept.exists() else ""
    if old.identities not in earlier:
        write_private(kept, earlier + custody.text_of(old))
    write_private(path, custody.text_of(rest))
    return kept


def without_old(key: FoundKey, rotation: Rotation) -> FoundKey:
    """The key as it will be after the rotation."""
    return _divided(key, rotation)[1]


def _divided(key: FoundKey, rotation: Rotation) -> tuple[FoundKey, FoundKey]:
    each = [age.parse(one, key.where, key.path) for one in key.identities.split()]
    old = "".join(one.identities for one in each if rotation.old in one.recipients)
    rest = "".join(one.identities for one in each if rotation.old not in one.recipients)
    if not rest or rotation.new not in key.recipients:
        raise KeyProblem(f"{key.where} does not hold the new key {rotation.new}", hint="blackstart keys restore FILE")
    return age.parse(old or rest, key.where, key.path), age.parse(rest, key.where, key.path)


def sealed_files(root: Path, rotation: Rotation) -> list[SopsFile]:
    """The SOPS files of the work tree that are, or should be, encrypted to the old or the new recipient."""
    known = rules.rules_in((root / rules.FILE).read_text())
    ours = {rotation.old, rotation.new}
    found = []
    for name, text in _encrypted(root):
        file = SopsFile.parse(text, name)
        rule = rules.rule_for(known, name)
        if not ours.isdisjoint(file.recipients) or (rule and not ours.isdisjoint(rule.recipients)):
            found.append(file)
    return found


def stale(root: Path, files: list[SopsFile]) -> list[str]:
    """Those of the files whose recipients are not those of their rule."""
    known = rules.rules_in((root / rules.FILE).read_text())
    wanted = {file.name: rules.rule_for(known, file.name) for file in files}
    return [file.name for file in files if (rule := wanted[file.name]) and set(rule.recipients) != set(file.recipients)]


def same_data_key(file: SopsFile, committed: str | None, key: FoundKey) -> bool:
    """Whether the file still has the data key that the commit has, so that old holders know it."""
    if committed is None:
        return True
    try:
        return SopsFile.parse(committed, file.name).data_key(key) == file.data_key(key)
    except KeyProblem:
        return True


@dataclass(frozen=True, slots=True)
class Exposed:
    """Values that the holders of the old key may know: the file, and the keys that lead to them."""

    file: str
    values: tuple[str, ...]


def exposed(root: Path, key: FoundKey) -> list[Exposed]:
    """Every encrypted value of the files that this key opens; the values themselves stay in memory."""
    found = []
    for name, text in _encrypted(root):
        file = SopsFile.parse(text, name)
        if not set(key.recipients).isdisjoint(file.recipients):
            names = dict.fromkeys(".".join(one.path) for one in file.values(key) if one.clear)
            found.append(Exposed(name, tuple(names)))
    return found


def _encrypted(root: Path) -> Iterator[tuple[str, str]]:
    for name in Index(root).known("*.yaml", "*.yml", "*.json"):
        path = root / name
        if path.name == rules.FILE or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if METADATA.search(text) and "lastmodified" in text:
            yield name, text
