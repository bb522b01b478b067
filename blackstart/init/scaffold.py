"""Everything that `init` writes is known before the first file is written; what fails takes all of it back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from blackstart import toolchain
from blackstart.config import Workspace
from blackstart.errors import ConfigError, Unsafe
from blackstart.init import layers
from blackstart.init.answers import Answers, validated
from blackstart.keys import rules
from blackstart.keys.custody import text_of
from blackstart.keys.rewrap import rewrap
from blackstart.tools import age
from blackstart.tools.git import Git
from blackstart.tools.sops import encrypted_names

IGNORED = (".blackstart/", "cdktf.out/", "*.agekey", "*.agekey.age")
TREE_SETTINGS = {
    "acme_email": "operator@{domain}",
    "acme_issuer": "letsencrypt-staging",
    "api_host": "{api_host}",
    "api_port": "6443",
    "nas_host": "nas.{domain}",
    "nas_dataset": "tank/k8s",
}
"""What the layers of this project use besides domain, ip_pool and storage_class."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be: new files (the private key may be one), files with lines added, files that are kept."""

    ws: Workspace
    recipient: str
    new: Mapping[str, str] = field(repr=False)
    edited: Mapping[str, str]
    kept: tuple[str, ...]

    def write(self) -> tuple[str, ...]:
        """Write it, whole or not at all; the names of the files written. Encrypted files follow their new rule."""
        sops = toolchain.path("sops")  # missing it must be known before there is a file
        root = self.ws.root
        before = {name: (root / name).read_bytes() for name in (*self.edited, *_encrypted(root))}
        made: list[Path] = []
        try:
            for name, text in self.edited.items():
                (root / name).write_text(text)
            for name, text in self.new.items():
                _create(root / name, text, made)
            wrapped = rewrap(root, sops).done
        except BaseException:
            _take_back(root, before, made)
            raise
        return (*self.edited, *self.new, *wrapped)


def plan(root: Path, answers: Answers, more: tuple[str, ...] = ()) -> Plan:
    """What `init` will write; `more` are further recipients. Nothing is changed.

    Raises Unsafe when the cluster's file is there, ConfigError when the answers do not fit or this is no repository.
    """
    require_free(root, answers.name)
    for recipient in more:
        if not age.is_recipient(recipient):
            raise ConfigError(f"{recipient} is not an Age recipient", hint="it begins with age1: age-keygen -y KEYFILE")
    ws = Workspace(root, answers.name)
    recipient, key = _key(ws)
    recipients = tuple(dict.fromkeys((recipient, *more)))
    text = _cluster_file(root, answers, recipients)
    validated(root, answers.name, text)
    wanted = {**_keys(ws, recipient, key), **_layers(root, answers)}
    new = {name: content for name, content in wanted.items() if not (root / name).exists()}
    shared = {".gitignore": _ignored(root), rules.FILE: _rules(root, recipients)}
    absent = {name: content for name, content in shared.items() if not (root / name).exists()}
    edited = {name: content for name, content in shared.items() if _differs(root / name, content)}
    kept = [name for name in (*shared, *wanted) if name not in new and name not in absent and name not in edited]
    # .gitignore before the key; the cluster file last: it is what makes the cluster one of the repository
    return Plan(ws, recipient, {**absent, **new, f"clusters/{answers.name}.yaml": text}, edited, tuple(kept))


def require_free(root: Path, name: str) -> None:
    """Raise Unsafe when the repository has this cluster, ConfigError when `root` is not the top of a repository."""
    if not Git(root).is_repository():
        raise ConfigError(f"{root} is not the top folder of a Git repository: Flux reads commits", hint="git init")
    if (root / "clusters" / f"{name}.yaml").exists():
        raise Unsafe(
            f"clusters/{name}.yaml exists: nothing is overwritten",
            hint=f"another name: blackstart init --name NAME, or edit the file: blackstart --cluster {name} check",
        )


def _key(ws: Workspace) -> tuple[str, str]:
    """The recipient, and the text of a new private key: blank when the cluster has one already."""
    path, sealed, public = age.key_file(ws), age.sealed_file(ws), ws.root / "keys" / f"{ws.cluster}.pub"
    if path.exists():
        return age.parse(path.read_text(), f"keys/{path.name}").recipients[0], ""
    if sealed.exists() and public.exists():
        return public.read_text().strip(), ""
    if sealed.exists() or public.exists():
        here = sealed if sealed.exists() else public
        raise Unsafe(
            f"keys/{here.name} belongs to a key that is not here: a second one would not open what the first one does",
            hint=f"put keys/{path.name} back, or give the cluster another name",
        )
    made = age.generate()
    return made.recipients[0], text_of(made)


def _keys(ws: Workspace, recipient: str, key: str) -> dict[str, str]:
    private = key if key or age.key_file(ws).exists() else None  # None: it lies sealed beside
    files = {f"keys/{age.key_file(ws).name}": private, f"keys/{ws.cluster}.pub": recipient + "\n"}
    return {name: text for name, text in files.items() if text is not None}


def _cluster_file(root: Path, answers: Answers, recipients: tuple[str, ...]) -> str:
    bundled = answers.cluster["provider"] == "embedded" and (root / "gitops" / "charts").is_dir()
    whole = _with_settings(answers) if (root / layers.CHARTS).is_dir() else answers
    return whole.cluster_file(recipients, "bundled" if bundled else "upstream")


def _layers(root: Path, answers: Answers) -> dict[str, str]:
    known = layers.present(root)
    simulated = answers.cluster["provider"] == "embedded"
    wiring = layers.wiring_files(root, answers.path, known or layers.LAYERS, simulated=simulated)
    return wiring if known else {**layers.layer_files(), **wiring}


def _with_settings(answers: Answers) -> Answers:
    values = {"domain": answers.settings["domain"], "api_host": answers.cluster.get("endpoint") or "127.0.0.1"}
    tree = {name: value.format(**values) for name, value in TREE_SETTINGS.items()}
    return replace(answers, settings={**answers.settings, **tree})


def _rules(root: Path, recipients: tuple[str, ...]) -> str:
    path = root / rules.FILE
    text = path.read_text() if path.is_file() else rules.NEW
    return rules.edit_rules(text, lambda old: [*old, *(one for one in recipients if one not in old)])


def _ignored(root: Path) -> str:
    path = root / ".gitignore"
    text = path.read_text() if path.is_file() else ""
    missing = [line for line in IGNORED if line not in text.splitlines()]
    if not missing:
        return text
    return text + ("\n" if text and not text.endswith("\n") else "") + "".join(f"{line}\n" for line in missing)


def _differs(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() != text


def _encrypted(root: Path) -> list[str]:
    return [f"gitops/{inner}" for inner in encrypted_names(root / "gitops")]


def create(root: Path, files: Mapping[str, str]) -> None:
    """Make new files, all or none. Raises FileExistsError for one that is there."""
    made: list[Path] = []
    try:
        for name, text in files.items():
            _create(root / name, text, made)
    except BaseException:
        _take_back(root, {}, made)
        raise


def _create(path: Path, text: str, made: list[Path]) -> None:
    _make_folder(path.parent, made)
    mode = 0o600 if path.suffix == ".agekey" else 0o666
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    made.append(path)
    with os.fdopen(handle, "w") as file:
        file.write(text)


def _make_folder(folder: Path, made: list[Path]) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)


def _take_back(root: Path, before: Mapping[str, bytes], made: list[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    for name, content in before.items():
        (root / name).write_bytes(content)
