"""Private Git remotes on loopback: an HTTP server that asks for a token, then a real sshd that asks for a key."""

from __future__ import annotations

import base64
import getpass
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from blackstart.embedded.git_server import Handler
from tests.desk import Desk, free_port

TOKEN = "a-token-of-this-test-only"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@contextmanager
def http_remote(root: Path) -> Iterator[str]:
    """A server that shows `git.git` below `root` to who has the token."""
    expected = "Basic " + base64.b64encode(f"git:{TOKEN}".encode()).decode()

    class Asking(Handler):
        project_root = root

        def _answer(self) -> None:
            if self.headers.get("Authorization") == expected:
                super()._answer()
            else:
                self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/git.git"
    server.shutdown()


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """A real sshd for this user, with its own host key; only the key in `folder/client.pub` may enter."""
    folder.mkdir(mode=0o700)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/client.pub\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nPidFile {folder}/pid\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=(folder / "log").open("w"))
    public = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


def point_at(desk: Desk, url: str, auth: str) -> str:
    """Make the desk's cluster read from a remote; returns the commit."""
    path = desk.root / "clusters" / "local.yaml"
    lines = path.read_text().splitlines()
    git = f"git: {{url: '{url}', branch: main, path: gitops/flux/clusters/local, auth: {auth}}}"
    path.write_text("\n".join(git if line.startswith("git:") else line for line in lines) + "\n")
    return desk.commit("another remote")


@pytest.mark.skipif(not Path(SSHD).exists(), reason="no sshd on this machine: apt-get install openssh-server")
def test_a_token_then_a_key_are_injected_like_the_age_key(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("remote")
    bare = place / "git.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(bare)], check=True)
    with http_remote(place) as url:
        commit = point_at(desk, url, "{kind: token, from: {env: GIT_TOKEN}}")
        desk.git("push", "--quiet", str(bare), "HEAD:main")
        refused = desk.run("up")
        assert refused.code == 2 and "GIT_TOKEN" in refused.stderr
        wrong = desk.run("up", env={"GIT_TOKEN": "wrong-token"})
        assert wrong.code in (2, 4) and "wrong-token" not in wrong.stdout + wrong.stderr
        done = desk.good("up", env={"GIT_TOKEN": TOKEN})
        assert TOKEN not in done.stdout + done.stderr
        assert desk.good("-o", "json", "status").json()["commit"] == commit
    with sshd(place / "ssh") as port:
        folder = place / "ssh"
        auth = f"{{kind: ssh, from: {{file: {folder}/client}}, known_hosts: {folder}/known_hosts}}"
        commit = point_at(desk, f"ssh://{getpass.getuser()}@127.0.0.1:{port}{bare}", auth)
        desk.git("push", "--quiet", str(bare), "HEAD:main")
        desk.good("up")
        assert desk.good("-o", "json", "status").json()["commit"] == commit
        source = desk.api().get("GitRepository", "flux-system", "flux-system") or {}
        assert source["spec"]["url"].startswith("ssh://")
    held = [path for path in desk.ws.runs.rglob("*") if path.is_file() and TOKEN in path.read_text(errors="replace")]
    assert held == []
