"""Brings encrypted files up to their rules, with whatever private key of the repository opens each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blackstart.errors import KeyProblem
from blackstart.keys import rules
from blackstart.tools import age
from blackstart.tools.age import FoundKey
from blackstart.tools.sops import Sops, SopsFile, encrypted_names


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """The files whose recipients are now those of their rule, and those that no key here opens."""

    done: tuple[str, ...]
    left: tuple[str, ...]


def rewrap(root: Path, binary: Path) -> Rewrapped:
    """`sops updatekeys` for each file below `gitops/` whose recipients are not those of its rule.

    Raises KeyProblem for a file that cannot be read, CommandFailed when sops fails.
    """
    known = rules.rules_in((root / rules.FILE).read_text())
    keys = _keys_here(root)
    done, left = [], []
    for name in (f"gitops/{inner}" for inner in encrypted_names(root / "gitops")):
        file = SopsFile.parse((root / name).read_text(errors="replace"), name)
        rule = rules.rule_for(known, name)
        if rule is None or set(rule.recipients) == set(file.recipients):
            continue
        key = next((one for one in keys if not set(one.recipients).isdisjoint(file.recipients)), None)
        if key is None:
            left.append(name)
        else:
            Sops(binary, root, key.path).updatekeys(name)
            done.append(name)
    return Rewrapped(tuple(done), tuple(left))


def _keys_here(root: Path) -> list[FoundKey]:
    found = []
    for path in sorted((root / "keys").glob("*.agekey")):
        try:
            found.append(age.parse(path.read_text(), f"keys/{path.name}", path))
        except KeyProblem:
            continue
    return found
