"""The search for leaks finds each one that is planted, and nothing in what is clean."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.tools import age
from tests.secrecy.searching import Leak, Processes, Secret, in_files

KEY = age.generate().identities.strip()
SECRET = Secret(KEY)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tfplan", text)
    return out.getvalue()


PLANTED = {
    "clear": (f"x={KEY};".encode(), "clear"),
    "lower case": (KEY.lower().encode(), "clear"),
    "wrapped": ("\n    ".join(textwrap.wrap(KEY, 20)).encode(), "line-wrapped"),
    "wrapped in JSON": (json.dumps("\n".join(textwrap.wrap(KEY, 30))).encode(), "line-wrapped"),
    "URL-encoded": ("".join(f"%{ord(one):02x}" for one in KEY).encode(), "URL-encoded"),
    "base64": (coded(f"# a comment\n{KEY}\n").encode(), "base64"),
    "base64, wrapped": (base64.encodebytes(f"ab{KEY}\n".encode()), "base64"),
    "base64, URL-safe": (base64.urlsafe_b64encode(f"\xff\xfe{KEY}".encode()), "base64"),
    "base64 twice": (coded(coded(f"c{KEY}")).encode(), "base64"),
    "gzip": (gzip.compress(f"a {KEY}".encode()), "compressed, clear"),
    "an object of git": (zlib.compress(f"blob 9\0a {KEY}".encode()), "compressed, clear"),
    "a plan file": (zipped(f'{{"age_key": "{KEY}"}}'), "compressed, clear"),
    "base64 in a plan file": (zipped(coded(f"{KEY}\n")), "compressed, base64"),
}


@pytest.mark.parametrize("how", PLANTED)
def test_a_leak_in_a_file_is_found(tmp_path: Path, how: str) -> None:
    content, form = PLANTED[how]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(content)
    assert in_files([SECRET], [tmp_path], lambda path: False) == [Leak(str(tmp_path / "deep" / "file"), form)]
    assert in_files([SECRET], [tmp_path], lambda path: path.name == "file") == []


def test_a_leak_in_a_name_and_in_a_link(tmp_path: Path) -> None:
    (tmp_path / KEY).mkdir()
    (tmp_path / "link").symlink_to(KEY)
    assert len(in_files([SECRET], [tmp_path], lambda path: False)) == 2


@pytest.mark.parametrize("place", ["argv", "environ"])
@pytest.mark.parametrize("form", ["clear", "base64"])
def test_a_leak_in_a_process_is_found(place: str, form: str) -> None:
    held = KEY if form == "clear" else coded(f"x{KEY}")
    argv = [sys.executable, "-c", "input()", *([held] if place == "argv" else [])]
    env = {**os.environ, **({"LEAK": held} if place == "environ" else {})}
    with Processes() as processes:
        child = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, text=True)
        wait_for(lambda: bool(processes.leaks(SECRET)))
        child.communicate("\n", timeout=30)
    assert {(leak.where.split()[0], leak.form) for leak in processes.leaks(SECRET)} == {(place, form)}
    assert processes.leaks(SECRET, lambda program, where: where == place) == set()


def test_a_leak_in_what_a_process_becomes_is_found() -> None:
    """Flux's controllers are a Python process first; its name, its argv and its pid may stay, its program does not."""
    late = "import os; input(); os.execve('/bin/cat', ['python'], {'LEAK': os.environ['NEXT'][::-1]})"
    env = {**os.environ, "NEXT": KEY[::-1]}
    with Processes() as processes:
        child = subprocess.Popen([sys.executable, "-c", late], env=env, stdin=subprocess.PIPE, text=True)
        wait_for(lambda: any(late.encode() in content for _, _, content in processes._records))
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        wait_for(lambda: bool(processes.leaks(SECRET)))
        child.communicate(timeout=30)
    cat = os.path.basename(os.path.realpath("/bin/cat"))  # or busybox, or coreutils
    assert processes.leaks(SECRET) == {Leak(f"environ of {cat}", "clear")}


def wait_for(seen: Callable[[], bool]) -> None:
    """Until the sampler has looked; at most ten seconds."""
    for _ in range(500):
        if seen():
            return
        time.sleep(0.02)


def test_what_is_clean_has_no_leak(tmp_path: Path) -> None:
    other = age.generate()
    (tmp_path / "a").write_text(other.identities + coded(other.identities) + age.parse(KEY, "x").recipients[0])
    (tmp_path / "b").write_bytes(b"\x1f\x8bbroken")
    (tmp_path / "c").write_bytes(b"PK\x03\x04broken")
    (tmp_path / "d").write_bytes(b"\x7fELF" + KEY.encode())  # the search's known limit: programs are left out
    assert in_files([SECRET], [tmp_path], lambda path: False) == []


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_place_in_base64_hides_it(before: bytes, after: bytes) -> None:
    once = base64.b64encode(before + KEY.encode() + after)
    assert "base64" in SECRET.forms_in(once)
    assert "base64" in SECRET.forms_in(base64.b64encode(after + once))
    assert "base64" in SECRET.forms_in(base64.urlsafe_b64encode(before + KEY.encode() + after))
