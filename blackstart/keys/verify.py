"""Is the key in the running cluster the expected one, and does it open every SOPS file at the deployed commit?"""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from blackstart.config import Workspace
from blackstart.errors import KeyProblem
from blackstart.tools import age
from blackstart.tools.age import FoundKey
from blackstart.tools.git import Commit, Git
from blackstart.tools.sops import SopsFile, encrypted_names

NAMESPACE = "flux-system"
SECRET = "sops-age"
SUFFIX = ".agekey"  # Flux reads every data key with it (kustomize-controller, internal/decryptor)


class Reads(Protocol):
    """What is asked of the cluster (tools.kubernetes.Cluster)."""

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """One object, or None."""


@dataclass(frozen=True, slots=True)
class LiveKey:
    """The Secret that Flux decrypts with: its data keys in order, the identities in it (secret), malformed ones."""

    present: bool
    recipients: tuple[str, ...]
    malformed: tuple[str, ...]
    identities: str = field(default="", repr=False)

    @property
    def key(self) -> FoundKey:
        """As a key that opens files."""
        return FoundKey(self.identities, self.recipients, f"Secret {NAMESPACE}/{SECRET}")


@dataclass(frozen=True, slots=True)
class Opened:
    """A SOPS file at the deployed commit, and what is wrong with it (blank: nothing)."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything `keys verify` looked at; `problems` is empty when all is well."""

    cluster: str
    commit: str
    expected: tuple[str, ...]
    live: tuple[str, ...]
    present: bool
    files: tuple[Opened, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether Flux holds the right key and it opens everything."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """For `-o json`; nothing in it is secret."""
        return {**asdict(self), "ok": self.ok}


def live_key(cluster: Reads) -> LiveKey:
    """The key that the running cluster has, read into memory alone."""
    secret = cluster.get("Secret", SECRET, NAMESPACE)
    values = (secret or {}).get("data") or {}
    found: list[FoundKey] = []
    malformed: list[str] = []
    for name in sorted(name for name in values if name.endswith(SUFFIX)):
        try:
            found.append(age.parse(base64.b64decode(values[name] or "", validate=True).decode(), name))
        except (KeyProblem, binascii.Error, UnicodeDecodeError):
            malformed.append(name)
    recipients = tuple(dict.fromkeys(one for key in found for one in key.recipients))
    return LiveKey(secret is not None, recipients, tuple(malformed), "".join(key.identities for key in found))


def deployed_commit(cluster: Reads) -> str:
    """The commit that Flux has fetched (`main@sha1:…`), blank when it has none."""
    source = cluster.get("GitRepository", "flux-system", NAMESPACE) or {}
    revision = str(((source.get("status") or {}).get("artifact") or {}).get("revision") or "")
    return revision.rpartition(":")[2]


def verify(ws: Workspace, key: FoundKey, cluster: Reads) -> Verdict:
    """Compare public recipients, open every file with the key that Flux has. Raises what the cluster raises."""
    live = live_key(cluster)
    sha = deployed_commit(cluster)
    git = Git(ws.root)
    problems = list(_of_the_key(live, key))
    files: tuple[Opened, ...] = ()
    if not sha:
        problems.append("Flux has not fetched a commit yet: blackstart status")
    elif not git.knows(sha):
        problems.append(f"this clone does not have the deployed commit {sha[:7]}: git fetch")
    else:
        files = tuple(opened_at(git, git.resolve(sha), live.key if live.recipients else key))
        problems += [one.problem for one in files if one.problem]
    return Verdict(ws.cluster, sha, key.recipients, live.recipients, live.present, files, tuple(problems))


def opened_at(git: Git, commit: Commit, key: FoundKey) -> Iterable[Opened]:
    """Each SOPS file that Flux sees at a commit, opened in memory."""
    with tempfile.TemporaryDirectory(prefix="blackstart-keys-") as folder:
        tree = Path(folder)
        git.export(commit, tree)
        for name in encrypted_names(tree):
            try:
                SopsFile.parse((tree / name).read_text(errors="replace"), name).verify(key)
                yield Opened(name, "")
            except KeyProblem as problem:
                yield Opened(name, problem.message)


def _of_the_key(live: LiveKey, key: FoundKey) -> Iterable[str]:
    where = f"Secret {NAMESPACE}/{SECRET}"
    if not live.present:
        yield f"{where} is not there: blackstart up"
        return
    for name in live.malformed:
        yield f"{where}: {name} is not an Age key, so Flux decrypts nothing: blackstart up"
    for one in key.recipients:
        if one not in live.recipients:
            yield f"{where} lacks the key of {one} (found in {key.where}): blackstart up"
    for one in live.recipients:
        if one not in key.recipients:
            yield f"{where} holds the key of {one}, which is not expected: blackstart up"
