"""SOPS files: read and verified in memory by ourselves, written by the real `sops` alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from blackstart.errors import KeyProblem
from blackstart.tools import age
from blackstart.tools.age import FoundKey
from blackstart.tools.manifests import Document, items, mapping
from blackstart.tools.process import Command, run
from blackstart.tools.sopsvalues import ENCRYPTED, Leaf, clear_bytes, is_null, leaves, open_value

METADATA = re.compile(r"^(?:sops:|[ \t]*\"sops\":)", re.MULTILINE)
MAC_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()  # sops.go: MACOnlyEncryptedInitialization
UNREAD = ("encrypted_comment_regex", "unencrypted_comment_regex")
LARGEST = 5 * 1024 * 1024  # bytes; Flux refuses larger ones
SECRET_KINDS = ("Secret", "SecretList", "List")
SUFFIXES = (".yaml", ".yml", ".json")
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Encrypted:
    """One encrypted value: its document (from 0), the keys that lead to it, its clear bytes (secret)."""

    document: int
    path: tuple[str, ...]
    clear: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SopsFile:
    """An encrypted file: its name, whom it is encrypted to, and what the rest of its metadata says."""

    name: str
    recipients: tuple[str, ...]
    modified: str
    mac: str = field(repr=False)
    blobs: Mapping[str, str] = field(repr=False)
    rules: Mapping[str, str] = field(repr=False)
    documents: list[Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, name: str) -> SopsFile:
        """Read a file's text. Raises KeyProblem when it is not encrypted YAML for Age recipients."""
        documents, metadata = _compose(text, name)
        if metadata is None:
            raise KeyProblem(f"{name} is not encrypted", hint=f"sops encrypt --in-place {name}")
        groups = metadata.get("key_groups")
        entries = _entries(metadata.get("age")) or (
            _entries(groups[0].get("age")) if isinstance(groups, list) and len(groups) == 1 else []
        )
        unread = [rule for rule in UNREAD if metadata.get(rule)]
        if not entries or unread:
            what = f"uses {unread[0]}, which is not supported" if unread else "has no Age recipient"
            raise KeyProblem(f"{name} {what}", hint="see .sops.yaml; sops updatekeys writes its rule into the file")
        rules = {str(key): value for key, value in metadata.items() if isinstance(value, str)}
        _require_patterns(rules, name)
        blobs = {str(entry["recipient"]): str(entry["enc"]) for entry in entries}
        return cls(name, tuple(blobs), rules.get("lastmodified", ""), rules.get("mac", ""), blobs, rules, documents)

    def data_key(self, key: FoundKey) -> bytes:
        """The file's data key (32 bytes, secret). Raises KeyProblem when none of our identities opens it."""
        for recipient, blob in self.blobs.items():
            if recipient in key.recipients:
                return self._unwrapped(recipient, blob, key)
        raise KeyProblem(
            f"{self.name} is not encrypted to this key: it is for {', '.join(self.recipients)}",
            hint=f"with a key that opens it: sops updatekeys {self.name}",
        )

    def values(self, key: FoundKey) -> list[Encrypted]:
        """Every encrypted value, opened in memory; the MAC is verified.

        Raises KeyProblem: the key does not open the file, a value is in clear or was changed, the MAC is wrong.
        """
        data_key = self.data_key(key)
        digest = hashlib.sha512(MAC_ONLY_ENCRYPTED if self._mac_only_encrypted else b"")
        found: list[Encrypted] = []
        for leaf in leaves(self.documents):
            if is_null(leaf):
                continue
            if self.encrypts(leaf.path):
                found.append(Encrypted(leaf.document, leaf.path, self._open(leaf, data_key)))
                digest.update(found[-1].clear)
            elif not self._mac_only_encrypted:
                digest.update(clear_bytes(leaf))
        self._compare(digest.hexdigest().upper(), data_key)
        return found

    def verify(self, key: FoundKey) -> None:
        """Prove that the key opens all of it and that nobody changed it. Raises KeyProblem as `values` does."""
        self.values(key)

    def encrypts(self, path: tuple[str, ...]) -> bool:
        """Whether the value at these keys is an encrypted one (sops.go: shouldBeEncrypted)."""
        rules = self.rules
        if pattern := rules.get("encrypted_regex"):
            return any(re.search(pattern, part) for part in path)
        if pattern := rules.get("unencrypted_regex"):
            return not any(re.search(pattern, part) for part in path)
        if suffix := rules.get("encrypted_suffix"):
            return any(part.endswith(suffix) for part in path)
        unencrypted = rules.get("unencrypted_suffix")
        return not (unencrypted and any(part.endswith(unencrypted) for part in path))

    @property
    def _mac_only_encrypted(self) -> bool:
        return self.rules.get("mac_only_encrypted", "").lower() == "true"

    def _unwrapped(self, recipient: str, blob: str, key: FoundKey) -> bytes:
        try:
            found = age.decrypt(blob, key.identities)
        except KeyProblem:
            found = b""
        if len(found) != 32:
            raise KeyProblem(f"{self.name}: its data key for {recipient} is damaged", hint=f"git log -p {self.name}")
        return found

    def _open(self, leaf: Leaf, data_key: bytes) -> bytes:
        try:
            return open_value(leaf.text, data_key, ":".join(leaf.path) + ":")
        except KeyProblem as problem:
            hint = problem.hint.replace("FILE", self.name)
            raise KeyProblem(f"{self.name}: {'.'.join(leaf.path)} {problem.message}", hint=hint) from None

    def _compare(self, computed: str, data_key: bytes) -> None:
        try:
            stored = open_value(self.mac, data_key, self.modified).decode()
        except KeyProblem:
            stored = ""
        if not hmac.compare_digest(stored, computed):
            raise KeyProblem(
                f"{self.name}: its MAC does not match: something in it was added, removed or changed without sops",
                hint=f"git log -p {self.name}; to accept it as it is: sops rotate --ignore-mac -i {self.name}",
            )


def encrypted_names(export: Path) -> Iterator[str]:
    """The files below a folder that carry SOPS metadata, sorted, relative to it; nothing is parsed."""
    for path in sorted(export.rglob("*")):
        if path.suffix not in SUFFIXES or path.is_symlink() or not path.is_file():
            continue
        inner = path.relative_to(export)
        if {".git", ".blackstart", "cdktf.out"}.isdisjoint(inner.parts) and path.stat().st_size <= LARGEST:
            text = path.read_text(errors="replace")
            if METADATA.search(text) and "lastmodified" in text:
                yield str(inner)


def secrets_at(export: Path) -> list[SopsFile]:
    """All SOPS files of an exported tree. Raises KeyProblem for one that cannot be read."""
    return [SopsFile.parse((export / name).read_text(errors="replace"), name) for name in encrypted_names(export)]


def clear_values(document: Document) -> list[str]:
    """The keys of the Secrets in a document whose values lie there in clear. Raises KeyProblem: it is not YAML."""
    if document.kind not in SECRET_KINDS:
        return []
    try:
        parsed = mapping(YAML(typ="safe", pure=True).load(document.text))
    except (YAMLError, RecursionError, ValueError):
        raise KeyProblem(f"{document.place.file} has a Secret that is not YAML", hint="look at it") from None
    listed = [one for one in items(parsed.get("items")) if one.get("kind") in ("Secret", None)]
    secrets = [parsed] if document.kind == "Secret" else listed
    values = [pair for one in secrets for part in ("data", "stringData") for pair in mapping(one.get(part)).items()]
    return [str(key) for key, value in values if value not in (None, "") and not _is_cipher(value)]


def _is_cipher(value: Any) -> bool:
    return isinstance(value, str) and ENCRYPTED.match(value) is not None


@dataclass(frozen=True, slots=True)
class Sops:
    """The program `sops`, run at the top of the repository, so that `.sops.yaml` is found.

    It gets the private key as the path of its file, never its text: an environment is no place for it.
    Raises CommandFailed from every method.
    """

    binary: Path
    root: Path
    key_file: Path | None = None

    def encrypt_in_place(self, name: str) -> None:
        """Encrypt a file by the rule of `.sops.yaml` that fits it."""
        self._run("encrypt", "--in-place", name)

    def encrypt(self, text: str, name: str) -> str:
        """YAML encrypted by the rule that fits `name`, a file that need not exist."""
        kinds = ("--input-type", "yaml", "--output-type", "yaml")
        words = ("encrypt", *kinds, "--filename-override", name, "/dev/stdin")
        return run(Command((str(self.binary), *words), cwd=self.root, stdin=text, timeout=TIMEOUT)).stdout

    def updatekeys(self, name: str) -> None:
        """Wrap the file's data key for the recipients of its rule, no more and no less."""
        self._run("updatekeys", "--yes", name)

    def rotate(self, name: str) -> None:
        """Give the file a new data key: who knows the old one can no longer open it."""
        self._run("rotate", "--in-place", name)

    def _run(self, *words: str) -> None:
        env = {"SOPS_AGE_KEY_FILE": str(self.key_file)} if self.key_file else {}
        run(Command((str(self.binary), *words), cwd=self.root, env=env, timeout=TIMEOUT))


def _compose(text: str, name: str) -> tuple[list[Any], dict[str, Any] | None]:
    try:
        yaml = YAML(typ="safe", pure=True)
        documents = [node for node in yaml.compose_all(text) if node is not None]
        return documents, _metadata(documents)
    except (YAMLError, RecursionError, ValueError) as error:
        reason = getattr(error, "problem", None) or type(error).__name__
        raise KeyProblem(f"{name} is not YAML: {reason}", hint=f"look at {name}") from None


def _metadata(documents: list[Any]) -> dict[str, Any] | None:
    for document in documents:
        for key, value in document.value if isinstance(document, MappingNode) else ():
            if key.value == "sops" and isinstance(value, MappingNode):
                found = _plain(value)
                return found if isinstance(found, dict) else None
    return None


def _require_patterns(rules: Mapping[str, str], name: str) -> None:
    for rule in ("encrypted_regex", "unencrypted_regex"):
        try:
            re.compile(rules.get(rule, ""))
        except re.error as error:
            raise KeyProblem(f"{name}: {rule} is not a pattern: {error}", hint=f"look at {name}") from None


def _plain(node: Any) -> Any:
    if isinstance(node, ScalarNode):
        return "" if node.style is None and node.value in ("null", "~") else str(node.value)
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.value]
    return {str(key.value): _plain(value) for key, value in node.value}


def _entries(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return [entry for entry in found if isinstance(entry, dict) and {"recipient", "enc"} <= set(entry)]
