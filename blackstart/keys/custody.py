"""Makes, backs up and restores the private key; no file is overwritten, each has its final mode when it is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.config import Workspace, load
from blackstart.errors import ConfigError, KeyProblem, Unsafe
from blackstart.keys import rules
from blackstart.tools import age
from blackstart.tools.age import THROWAWAY, FoundKey, key_file, sealed_file


@dataclass(frozen=True, slots=True)
class Made:
    """What `keys new` did: the cluster's own recipient, all that can decrypt, the files written, warnings."""

    recipient: str
    recipients: tuple[str, ...]
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def new_key(ws: Workspace, more: Sequence[str] = ()) -> Made:
    """Make the cluster's key and write its public half wherever it must stand; `more` are further recipients.

    Raises Unsafe when the cluster has a key, ConfigError for a recipient that is none.
    """
    for path in (key_file(ws), sealed_file(ws)):
        if path.exists():
            raise Unsafe(
                f"keys/{path.name} exists: a key is never overwritten",
                hint=f"to replace it safely: blackstart --cluster {ws.cluster} keys rotate",
            )
    for recipient in more:
        if not age.is_recipient(recipient):
            raise ConfigError(f"{recipient} is not an Age recipient", hint="it begins with age1: age-keygen -y KEYFILE")
    key = age.generate()
    own = key.recipients[0]
    written = _public(ws, (own, *more))  # what cannot be edited fails before the key is there
    write_new(key_file(ws), text_of(key))
    for name, text in {**written, f"keys/{ws.cluster}.pub": own + "\n"}.items():
        (ws.root / name).write_text(text)
    files = (f"keys/{key_file(ws).name}", f"keys/{ws.cluster}.pub", *written)
    everybody = tuple(dict.fromkeys((own, *more)))
    return Made(own, everybody, files, _warnings(ws, everybody, written))


def text_of(key: FoundKey) -> str:
    """A key file, with the public half as a comment, as age-keygen writes it."""
    lines = [f"# public key: {recipient}" for recipient in key.recipients]
    return "\n".join([*lines, key.identities])


def back_up(ws: Workspace, key: FoundKey, phrase: str, out: Path | None = None) -> Path:
    """Write the key as a file that a passphrase opens, also by plain `age -d`; it is read back before it counts.

    Raises Unsafe when the file exists.
    """
    path = out or sealed_file(ws)
    if path.exists():
        raise Unsafe(f"{path} exists: a key is never overwritten", hint="give another file: --out FILE")
    sealed = age.seal(key, phrase)
    if age.parse(age.unseal(sealed.encode(), phrase, path.name), path.name).identities != key.identities:
        raise KeyProblem(f"the backup {path} does not read back", hint="again")
    write_new(path, sealed)
    return path


def restore(ws: Workspace, source: Path) -> tuple[FoundKey, bool]:
    """Put the key of a backup (sealed, or in clear) where the cluster's key belongs; False: it was there already.

    Raises KeyProblem: not a key, or not one of `sops.recipients`; Unsafe when another key is there.
    """
    text, _ = age.read_key(source, str(source))
    found = age.parse(text, str(source))
    wanted = load(ws.root, ws.cluster).sops.recipients
    if set(wanted).isdisjoint(found.recipients):
        raise KeyProblem(
            f"{source} holds the key of {', '.join(found.recipients)}, which is not among sops.recipients of "
            f"clusters/{ws.cluster}.yaml",
            hint="the backup of another cluster? its name: blackstart --cluster NAME keys restore FILE",
        )
    path = key_file(ws)
    if path.exists():
        if set(age.parse(path.read_text(), f"keys/{path.name}").recipients) == set(found.recipients):
            return found, False
        raise Unsafe(f"keys/{path.name} holds another key", hint=f"move it away first: mv {path} {path}.old")
    write_new(path, text_of(found))
    return found, True


def write_new(path: Path, text: str) -> None:
    """Write a private file that must not exist yet, mode 0600 from its first moment on. Raises Unsafe."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Unsafe(f"{path} exists: a key is never overwritten", hint="give another file") from None
    with os.fdopen(handle, "w") as file:
        file.write(text)


def _public(ws: Workspace, recipients: Sequence[str]) -> dict[str, str]:
    """The files that name recipients, edited: `.sops.yaml`, and the cluster's own file where there is one."""
    sops = ws.root / rules.FILE
    own = ws.root / "clusters" / f"{ws.cluster}.yaml"

    def add(old: list[str]) -> list[str]:
        return [*old, *(one for one in recipients if one not in old)]

    edited = {rules.FILE: rules.edit_rules(sops.read_text() if sops.is_file() else rules.NEW, add)}
    if own.is_file():

        def first(old: list[str]) -> list[str]:
            keep = [one for one in old if one not in recipients and (one != THROWAWAY or embedded)]
            return [*recipients[:1], *keep, *recipients[1:]]

        embedded = load(ws.root, ws.cluster).provider == "embedded"
        edited[f"clusters/{ws.cluster}.yaml"] = rules.edit_cluster(own.read_text(), ws.cluster, first)
    return edited


def _warnings(ws: Workspace, recipients: tuple[str, ...], written: dict[str, str]) -> tuple[str, ...]:
    found = []
    if len(recipients) == 1:
        found.append(
            "only this one key can decrypt: lose it and every secret is lost. Add a break-glass recipient "
            "(a second key, a hardware key: --recipient age1…) or make a backup: blackstart keys backup"
        )
    if THROWAWAY in written[rules.FILE] and ws.cluster != "local":
        found.append(f"{rules.FILE} also names the published throwaway key, which everybody has: take it out")
    if f"clusters/{ws.cluster}.yaml" not in written:
        found.append(f"there is no clusters/{ws.cluster}.yaml yet: its sops.recipients needs {recipients[0]}")
    return tuple(found)
