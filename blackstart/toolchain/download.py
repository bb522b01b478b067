"""Official releases, taken only when their sha256 is pinned and their site answers at once."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import IO

from blackstart.errors import ToolFailed
from blackstart.toolchain.finding import place
from blackstart.toolchain.pins import Download, Pin
from blackstart.toolchain.store import put

ANSWER_SECONDS = 3.0
READ_SECONDS = 30.0
CHUNK = 1 << 20


def download(pin: Pin, wanted: Download, staging: Path) -> str:
    """Fetch a release and give the program its name; returns where it came from, empty when the site is away.

    Raises ToolFailed when what came is not what is pinned: then nothing is installed.
    """
    archive = staging / f"{pin.name}.download"
    if not _answers("/".join(wanted.url.split("/", 3)[:3])) or not _fetch(wanted, archive):
        return ""
    whole = staging / pin.name
    _unpack(archive, wanted.member, whole)
    whole.chmod(0o755)
    put(whole, place(pin))
    return f"release {wanted.url}"


@cache
def _answers(site: str) -> bool:
    """Asked once a site: behind a firewall each question costs the whole time."""
    import httpx

    try:
        httpx.head(site, timeout=ANSWER_SECONDS)
    except httpx.HTTPError:
        return False
    return True


def _fetch(wanted: Download, archive: Path) -> bool:
    import httpx

    digest = hashlib.sha256()
    limits = httpx.Timeout(READ_SECONDS, connect=ANSWER_SECONDS)
    try:
        with (
            httpx.stream("GET", wanted.url, timeout=limits, follow_redirects=True) as answer,
            archive.open("wb") as out,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes(CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except httpx.HTTPError:
        return False
    if digest.hexdigest() != wanted.sha256:
        raise ToolFailed(
            f"{wanted.url} is not the pinned release: its sha256 is {digest.hexdigest()}",
            hint="do not use it; see whether toolchain/pins.toml or the release was changed",
        )
    return True


def _unpack(archive: Path, member: str, whole: Path) -> None:
    if not member:
        archive.replace(whole)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped, zipped.open(member) as stream:
            _copy(stream, whole)
    else:
        with tarfile.open(archive) as packed:
            _copy(packed.extractfile(member), whole)


def _copy(stream: IO[bytes] | None, whole: Path) -> None:
    if stream is None:
        raise ToolFailed(f"the release does not hold {whole.name}", hint="correct `member` in toolchain/pins.toml")
    with whole.open("wb") as out:
        while chunk := stream.read(CHUNK):
            out.write(chunk)
