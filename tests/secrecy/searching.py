"""Looks for a secret in every form that leaks take: in files, in outputs, in processes. Proven by planted leaks."""

from __future__ import annotations

import base64
import gzip
import io
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote_to_bytes

LARGEST = 256 * 1024 * 1024  # bytes of one file
BETWEEN = b" \t\r\n\v\f\"'+-,"  # + and -: equal in both alphabets of base64 when both are left out
USUAL = bytes.maketrans(b"_", b"/")
PROGRAM = b"\x7fELF"  # programs that were installed or copied: nothing is written into them
PAUSE = 0.03  # seconds between two looks at /proc


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
        self.joined = _joined(core).upper()
        self.base64 = {part for part in _encoded(core) if part}

    def forms_in(self, content: bytes) -> Iterator[str]:
        """Every form in which `content` holds the secret."""
        upper = content.upper()
        joined = _joined(content)
        if self.clear in upper:
            yield "clear"
        elif self.joined in joined.upper():
            yield "line-wrapped"
        elif b"%" in content and self.clear in unquote_to_bytes(content).upper():
            yield "URL-encoded"
        if any(part in joined for part in self.base64):
            yield "base64"
        for inner in _unpacked(content):
            yield from (f"compressed, {form}" for form in self.forms_in(inner))


@lru_cache(maxsize=4)
def _joined(content: bytes) -> bytes:
    """Without what stands between the parts of a wrapped text; URL-safe base64 as the usual one."""
    for escaped in (b"\\n", b"\\r", b"\\t"):
        content = content.replace(escaped, b"")
    return content.translate(USUAL, BETWEEN)


def _encoded(core: bytes) -> Iterator[bytes]:
    """The base64 of the secret wherever it begins in what was encoded, and once more encoded as Secrets are."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + core)
        first = -(-shift * 8 // 6)
        whole = (shift + len(core)) * 8 // 6
        part = coded[first:whole]
        yield _joined(part)
        for again in range(3):
            twice = base64.b64encode(b"\0" * again + part)
            yield _joined(twice[-(-again * 8 // 6) : (again + len(part)) * 8 // 6])


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        try:
            yield gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return
    elif content.startswith(b"\x78"):  # an object of git
        try:
            yield zlib.decompress(content)
        except zlib.error:
            return
    elif content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from (archive.read(name) for name in archive.namelist())
        except (zipfile.BadZipFile, RuntimeError, zlib.error, NotImplementedError):
            return


def in_files(secrets: list[Secret], roots: list[Path], allowed: Callable[[Path], bool]) -> list[Leak]:
    """Every leak in the files below the roots, the names of the files included; links are not followed."""
    found = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            if not allowed(path):
                texts = (os.fsencode(path.name), _content(path))
                found += [Leak(str(path), form) for text in texts for one in secrets for form in one.forms_in(text)]
    return found


def _content(path: Path) -> bytes:
    try:
        if path.is_symlink():
            return os.fsencode(os.readlink(path))
        if path.is_file() and path.stat().st_size <= LARGEST:
            with path.open("rb") as file:
                first = file.read(len(PROGRAM))
                return b"" if first == PROGRAM else first + file.read()
    except OSError:  # gone meanwhile
        return b""
    return b""


@dataclass
class Processes:
    """Records argv and environment of every process that starts while it is entered.

    A process that lives shorter than the time between two looks may be missed; which were seen is in `programs`.
    With `marked` only those count that hold it in their environment: other tests may run beside this one.
    """

    marked: bytes = b""
    _records: set[tuple[str, str, bytes]] = field(default_factory=set)
    _known: dict[str, Program] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Processes:
        self._known = {pid: program for pid in _pids() if (program := Program.of(pid))}
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
            for pid in _pids():
                self._look(pid)

    def _look(self, pid: str) -> None:
        """Once for each program that a process becomes: after a fork it still is its parent, and may exec late."""
        program = Program.of(pid)
        if program is None or self._known.get(pid) == program:
            return
        environ = _read(f"/proc/{pid}/environ")
        if Program.of(pid) == program:  # else it has become another meanwhile: the next look sees that
            self._known[pid] = program
            if self.marked in environ:
                self._records |= {(program.name, "argv", program.argv), (program.name, "environ", environ)}


@dataclass(frozen=True)
class Program:
    """What a process runs at this moment; `started` tells it from an earlier process with the same pid."""

    started: bytes
    executable: str
    argv: bytes

    @classmethod
    def of(cls, pid: str) -> Program | None:
        """None for a thread of the kernel, and for what has ended."""
        try:
            executable = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            return None
        status = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()  # proc(5): field 22 is the start time
        return cls(status[19], executable, _read(f"/proc/{pid}/cmdline")) if len(status) > 19 else None

    @property
    def name(self) -> str:
        """The executable's own name, whatever argv says."""
        return os.path.basename(self.executable).removesuffix(" (deleted)")


def _pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
