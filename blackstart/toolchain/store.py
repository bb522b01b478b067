"""How files get into the cache: whole or not at all, one installation at a time."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from blackstart.config.cache import cache
from blackstart.errors import BlackstartError, CommandFailed, Interrupted, ToolFailed
from blackstart.progress import Progress

AGAIN = "make setup"
NEEDED = "with the module and build caches of Go up to 15 GB are taken"


@contextmanager
def installing(progress: Progress) -> Iterator[Path]:
    """Gives a folder for unfinished files, to one process at a time; what killed runs left there is removed first.

    Raises ToolFailed when the disk is full or the cache cannot be written, Interrupted after a Ctrl-C.
    """
    with _explained():
        cache().mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache() / "install.lock")
        with _held(lock, progress):
            staging = cache() / "staging"
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)


def put(whole: Path, target: Path) -> None:
    """Give a whole file or folder its name; an older one of that name is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if whole.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    else:
        _flush(whole)
    whole.replace(target)


def write(text: str, target: Path) -> None:
    """Write a small file into the cache, unless it says that already; readers see the old or the new, never half."""
    if target.is_file() and target.read_text() == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = target.with_name(f".{target.name}.{os.getpid()}")
    whole.write_text(text)
    whole.replace(target)


def _flush(file: Path) -> None:
    """After a power cut the name must not stand on an empty file."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _held(lock: FileLock, progress: Progress) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note("another process is installing: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained() -> Iterator[None]:
    """Says what to do about a disk that is full, a cache that is read-only, a Ctrl-C."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            "interrupted: what is whole stays installed", hint=f"go on with what is left: {AGAIN}"
        ) from None
    except CommandFailed as error:
        if os.strerror(errno.ENOSPC).lower() in error.tail.lower():
            raise _full() from error
        raise
    except OSError as error:
        raise (_full() if error.errno == errno.ENOSPC else _unwritable(error)) from error


def _full() -> BlackstartError:
    return ToolFailed(
        f"the disk is full: nothing more can be installed into {cache()}",
        hint=f"make room ({NEEDED}) or set BLACKSTART_CACHE to another disk, then: {AGAIN}",
    )


def _unwritable(error: OSError) -> BlackstartError:
    return ToolFailed(
        f"cannot install into {cache()}: {error}",
        hint=f"let the folder be writable or set BLACKSTART_CACHE to another one, then: {AGAIN}",
    )
