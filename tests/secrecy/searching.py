"""Looks for a secret in every form that leaks take: in files, in outputs, in processes. Proven by planted leaks."""

from __future__ import annotations

import base64
import gzip
import io
import os
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote_to_bytes

LARGEST = 256 * 1024 * 1024  # bytes of one file
SPACES = re.compile(rb"\s|\\[nrt]|[\"'+,]")
PAUSE = 0.02  # seconds between two looks at /proc


@dataclass(frozen=True)
class Leak:
    """Where the secret was seen (a path, or `argv` or `environ` of a program) and in which form."""

    where: str
    form: str


class Secret:
    """A secret to look for; case does not matter for its clear form."""

    def __init__(self, text: str) -> None:
        core = text.strip().encode()
        self.clear = core.upper()
        self.base64 = {part for part in _encoded(core) if part}

    def forms_in(self, content: bytes) -> Iterator[str]:
        """Every form in which `content` holds the secret."""
        if self.clear in content.upper():
            yield "clear"
        joined = SPACES.sub(b"", content)
        if self.clear not in content.upper() and self.clear in joined.upper():
            yield "line-wrapped"
        standard = joined.replace(b"-", b"+").replace(b"_", b"/")
        for text in (joined, standard):
            if any(part in text for part in self.base64):
                yield "base64"
                break
        if b"%" in content and self.clear not in content.upper() and self.clear in unquote_to_bytes(content).upper():
            yield "URL-encoded"
        for inner in _unpacked(content):
            yield from (f"compressed, {form}" for form in self.forms_in(inner))


def _encoded(core: bytes) -> Iterator[bytes]:
    """The base64 of the secret wherever it begins in what was encoded, and once more encoded as Secrets are."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + core)
        first = -(-shift * 8 // 6)
        whole = (shift + len(core)) * 8 // 6
        part = coded[first:whole]
        yield SPACES.sub(b"", part)  # what is searched has no + either
        yield part
        for again in range(3):
            twice = base64.b64encode(b"\0" * again + part)
            yield twice[-(-again * 8 // 6) : (again + len(part)) * 8 // 6]


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        try:
            yield gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return
    elif content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from (archive.read(name) for name in archive.namelist())
        except (zipfile.BadZipFile, RuntimeError, zlib.error, NotImplementedError):
            return


def in_files(secret: Secret, roots: list[Path], allowed: Callable[[Path], bool]) -> list[Leak]:
    """Every leak in the files below the roots, the names of the files included."""
    found = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            if not allowed(path):
                texts = (os.fsencode(path.name), _content(path))
                found += [Leak(str(path), form) for text in texts for form in secret.forms_in(text)]
    return found


def _content(path: Path) -> bytes:
    try:
        if path.is_symlink():
            return os.fsencode(os.readlink(path))
        if path.is_file() and path.stat().st_size <= LARGEST:
            return path.read_bytes()
    except OSError:  # gone meanwhile
        return b""
    return b""


@dataclass
class Processes:
    """Records argv and environment of every process that starts while it is entered.

    A process that lives shorter than a look may be missed; which were seen is in `programs`.
    """

    _records: set[tuple[str, str, bytes]] = field(default_factory=set)
    _before: set[str] = field(default_factory=set)
    _known: dict[str, bytes] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Processes:
        self._before = {pid for pid in os.listdir("/proc") if pid.isdigit()}
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    @property
    def programs(self) -> set[str]:
        """The names of the programs that were seen."""
        return {program for program, _, _ in self._records}

    def leaks(self, secret: Secret, allowed: Callable[[str, str], bool] = lambda program, place: False) -> set[Leak]:
        """Where the secret stood; `allowed` is asked with a program's name and `argv` or `environ`."""
        return {
            Leak(f"{place} of {program}", form)
            for program, place, content in self._records
            if not allowed(program, place)
            for form in secret.forms_in(content)
        }

    def _sample(self) -> None:
        while not self._stop.wait(PAUSE):
            for pid in os.listdir("/proc"):
                if pid.isdigit() and pid not in self._before:
                    self._look(pid)

    def _look(self, pid: str) -> None:
        """Once for each program that a process becomes: after a fork it still is its parent."""
        argv = _read(f"/proc/{pid}/cmdline")
        if argv and self._known.get(pid) != argv:
            self._known[pid] = argv
            program = os.path.basename(argv.split(b"\0")[0].decode(errors="replace"))
            self._records |= {(program, "argv", argv), (program, "environ", _read(f"/proc/{pid}/environ"))}


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
