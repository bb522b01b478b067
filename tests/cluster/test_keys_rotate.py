"""The key is rotated on a running cluster, killed in every gap; Flux can decrypt at every moment (issue 5)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

import pytest

from blackstart import toolchain
from blackstart.config.cache import cache
from blackstart.embedded import git_server
from blackstart.keys import rules
from blackstart.keys.verify import deployed_commit, live_key, opened_at
from blackstart.tools import age
from blackstart.tools.git import Git
from blackstart.tools.sops import Sops, SopsFile, encrypted_names
from tests.desk import Desk, Done, lay
from tests.secrecy.searching import Processes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

STEPS = ("key", "commit", "sops-age", "recipients", "layers", "data-keys", "layers-new")
TOKENS = (token_hex(20), token_hex(20))
FILE = "gitops/flux/apps/gitlab/rails.sops.yaml"


@dataclass(frozen=True)
class Told(Desk):
    """A desk that keeps whatever its commands print."""

    said: list[str] = field(default_factory=list)

    def run(self, *args: str, env: dict[str, str] | None = None, timeout: float = 600) -> Done:
        """As `Desk.run`, with --debug."""
        done = super().run("--debug", *args, env=env, timeout=timeout)
        self.said.append(done.stdout + done.stderr)
        return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that this module's commands may write to, the shared caches of programs aside."""
    return tmp_path_factory.mktemp("rotate")


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Every process of this module, recorded."""
    with Processes() as recorded:
        yield recorded


@pytest.fixture(scope="module")
def desk(folder: Path, processes: Processes) -> Iterator[Told]:
    """A Ready cluster `local` whose key is its own, not the published one; terraform is asked to trace."""
    for name in ("repo", "home", "tmp"):
        (folder / name).mkdir()
    laid = own_key(lay(folder / "repo"))
    private = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "BLACKSTART_CACHE": str(cache())}
    private["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(Path.home() / ".cache/aws/jsii/package-cache")
    who = {f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    made = Told(laid.root, laid.port, extra={**private, **who, "TF_LOG": "TRACE", "TF_LOG_PATH": str(folder / "trace")})
    try:
        print(made.good("up").stderr)
        yield made
    finally:
        made.remove_cluster()


def own_key(desk: Desk) -> Desk:
    """What an operator does who turns the example into a cluster of his own."""
    published = desk.root / "published"
    shutil.move(desk.root / "keys/local.agekey", published)
    desk.git("rm", "--quiet", "--cached", "keys/local.agekey")
    desk.edit(".gitignore", "!keys/local.agekey\n", "published\n")
    desk.good("keys", "new")
    sops = Sops(toolchain.path("sops"), desk.root, published)
    for path, edit in ((".sops.yaml", rules.edit_rules), ("clusters/local.yaml", edit_cluster)):
        file = desk.root / path
        file.write_text(edit(file.read_text(), lambda old: [one for one in old if one != age.THROWAWAY]))
    for name in encrypted_names(desk.root / "gitops"):
        sops.rotate(f"gitops/{name}")
        sops.updatekeys(f"gitops/{name}")
    desk.commit("a key of our own")
    return desk


def edit_cluster(text: str, change: rules.Change) -> str:
    return rules.edit_cluster(text, "local", change)


def identities(desk: Desk) -> age.FoundKey:
    return age.parse((desk.root / "keys/local.agekey").read_text(), "keys/local.agekey")


def can_decrypt(desk: Desk) -> None:
    """The key that Flux has opens every file at the commit that Flux has."""
    live = live_key(desk.api())
    git = Git(desk.root)
    opened = list(opened_at(git, git.resolve(deployed_commit(desk.api())), live.key))
    assert len(opened) == 7
    assert [one.problem for one in opened if one.problem] == []


def rotate_until(desk: Told, step: str) -> None:
    """Run `keys rotate --commit` and kill it the moment it says that a step has ended."""
    argv = [sys.executable, "-m", "blackstart", "--debug", "-o", "json", "keys", "rotate", "--commit"]
    process = subprocess.Popen(
        argv, cwd=desk.root, env=desk.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        desk.said.append(line)
        event = json.loads(line)
        if event.get("step") == step and event.get("status") in ("ready", "skipped"):
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
            return
    pytest.fail(f"it ended before {step} did: {process.stderr.read()[-2000:]}")


def commit_by_hand(desk: Told) -> None:
    """Without --commit the change is shown, and the next run goes on once it is committed."""
    stopped = desk.run("keys", "rotate")
    assert stopped.code == 8 and "--commit" in stopped.stderr
    assert "+++ b/.sops.yaml" in stopped.stdout and "+      age1" in stopped.stdout
    desk.commit("by hand")


def test_killed_in_every_gap_it_goes_on_and_flux_can_always_decrypt(desk: Told) -> None:
    old = identities(desk)
    assert desk.good("-o", "json", "keys", "verify").json()["ok"] is True
    before = SopsFile.parse((desk.root / FILE).read_text(), FILE).data_key(old)
    keys = {}
    for step in STEPS:
        if step == "recipients":
            commit_by_hand(desk)
        else:
            rotate_until(desk, step)
        can_decrypt(desk)
        keys[step] = (len(live_key(desk.api()).recipients), len(identities(desk).recipients))
    assert keys["key"] == (1, 2)
    assert keys["sops-age"] == keys["layers-new"] == (2, 2)
    told = desk.good("-o", "json", "keys", "rotate", "--commit").stdout.splitlines()[-1]
    can_decrypt(desk)
    finished(desk, old, json.loads(told))
    new = SopsFile.parse((desk.root / FILE).read_text(), FILE).data_key(identities(desk))
    assert new != before


def finished(desk: Told, old: age.FoundKey, told: dict[str, Any]) -> None:
    """The new key alone, everywhere; the old one is kept aside; nothing is left to commit."""
    new = identities(desk)
    assert set(new.recipients).isdisjoint(old.recipients)
    assert list(new.recipients) == told["recipients"] == list(live_key(desk.api()).recipients)
    assert FILE in {one["file"] for one in told["exposed"]}
    for name in encrypted_names(desk.root / "gitops"):
        file = SopsFile.parse((desk.root / "gitops" / name).read_text(), name)
        assert file.recipients == new.recipients
        file.verify(new)
    for public in (".sops.yaml", "clusters/local.yaml", "keys/local.pub"):
        assert old.recipients[0] not in (desk.root / public).read_text()
    assert (desk.root / "keys/local.retired.agekey").stat().st_mode & 0o777 == 0o600
    assert desk.git("status", "--porcelain") == ""
    assert desk.good("-o", "json", "keys", "verify").json()["ok"] is True


def test_afterwards_up_changes_nothing(desk: Told) -> None:
    assert "nothing to change" in desk.good("up").stderr


def test_verify_finds_a_key_that_was_tampered_with(desk: Told) -> None:
    data = desk.api().get("Secret", "sops-age", "flux-system")["data"]
    stranger = age.generate()
    desk.api().patch("Secret", "sops-age", "flux-system", {"stringData": {"age.agekey": stranger.identities}})
    found = desk.run("-o", "json", "keys", "verify")
    assert found.code == 7
    assert found.json()["live"] == list(stranger.recipients)
    assert sum(bool(one["problem"]) for one in found.json()["files"]) == 7
    desk.api().patch("Secret", "sops-age", "flux-system", {"data": data})
    assert desk.good("-o", "json", "keys", "verify").json()["ok"] is True


def test_what_a_rotation_refuses(desk: Told, tmp_path: Path) -> None:
    elsewhere = tmp_path / "key"
    shutil.copy(desk.root / "keys/local.agekey", elsewhere)
    refused = desk.run("keys", "rotate", env={"SOPS_AGE_KEY_FILE": str(elsewhere)})
    assert refused.code == 7 and "keys restore" in refused.stderr
    (desk.root / FILE).write_text((desk.root / FILE).read_text() + "# unfinished\n")
    refused = desk.run("keys", "rotate")
    assert refused.code == 8 and FILE in refused.stderr
    desk.git("checkout", FILE)
    desk.git("add", "--force", "--intent-to-add", "keys/local.agekey")  # tracked, but in no object of git
    refused = desk.run("keys", "rotate")
    assert refused.code == 8 and "git rm --cached keys/local.agekey" in refused.stderr
    desk.git("rm", "--quiet", "--cached", "keys/local.agekey")
    refused = desk.run("keys", "rotate", "--git")
    assert refused.code == 2 and "git.auth" in refused.stderr


def test_recovered_from_its_loss(desk: Told) -> None:
    desk.remove_cluster()
    desk.good("recover", "--yes")
    can_decrypt(desk)


class AsksForToken(git_server.Handler):
    """The Git server of a forge: whoever has none of `tokens` gets 401."""

    tokens: ClassVar[set[str]] = set()

    def _answer(self) -> None:
        accepted = {base64.b64encode(f"git:{one}".encode()).decode() for one in self.tokens}
        if self.headers.get("Authorization", "").removeprefix("Basic ") in accepted:
            super()._answer()
        else:
            self._send(401, [("WWW-Authenticate", "Basic")], b"")


@pytest.fixture
def forge(folder: Path) -> Iterator[ThreadingHTTPServer]:
    """A private remote on loopback."""
    AsksForToken.project_root = folder / "forge"
    server = ThreadingHTTPServer(("127.0.0.1", 0), AsksForToken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_git_credentials_are_tried_before_they_are_replaced(desk: Told, forge: ThreadingHTTPServer) -> None:
    first, second = TOKENS
    desk.git("clone", "--quiet", "--bare", ".", str(AsksForToken.project_root / "git.git"))
    url = f"http://127.0.0.1:{forge.server_port}/git.git"
    desk.edit("clusters/local.yaml", "url: worktree,", f"url: '{url}', auth: {{kind: token, from: {{env: TOKEN}}}},")
    desk.commit("from a private remote")
    desk.git("push", "--quiet", str(AsksForToken.project_root / "git.git"), "HEAD:main")
    AsksForToken.tokens = {first}
    desk.good("up", env={"TOKEN": first})
    refused = desk.run("keys", "rotate", "--git", env={"TOKEN": second})
    assert refused.code == 4 and "cannot read" in refused.stderr
    assert git_token(desk) == first
    AsksForToken.tokens = {first, second}
    desk.good("keys", "rotate", "--git", env={"TOKEN": second})
    assert git_token(desk) == second
    AsksForToken.tokens = {second}
    assert "nothing to change" in desk.good("up", env={"TOKEN": second}).stderr


def git_token(desk: Desk) -> str:
    secret = desk.api().get("Secret", "git-credentials", "flux-system")
    assert secret is not None
    return base64.b64decode(secret["data"]["password"]).decode()


def may_hold(path: Path) -> bool:
    """The key files, etcd of the embedded cluster, and with `builtin` providers the states and their backups."""
    inner = path.parts[1:]
    if inner[:1] == ("keys",):
        return path.name in ("local.agekey", "local.retired.agekey")
    if inner[:2] != (".blackstart", "local"):
        return False
    part = inner[2:3]
    return part in (("states",), ("backups",)) or (part == ("embedded",) and "etcd" in inner)


def with_key(program: str, place: str) -> bool:
    """Terraform and its providers may hold the key in their environment, nobody else."""
    return place == "environ" and program.startswith("terraform")


def with_token(program: str, place: str) -> bool:
    """The operator gives a token in the environment of blackstart; git gets it to log in."""
    return place == "environ" and program.startswith(("terraform", "git", "python"))
