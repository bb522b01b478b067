"""What does not lie in the repository: the remote, the running cluster, chart repositories, this machine.

The remote is real git over plain HTTP files; the API is a fake that serves `/version` and one Secret in the API's own
JSON, without TLS. Rules about this machine get the good repository's evidence with one thing changed.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from pyrage import x25519

from blackstart.check import Finding, gathering
from blackstart.check.evidence import Backups, Chart, Evidence, Live, Machine, Problem
from blackstart.check.finding import Severity
from blackstart.check.gathering import live_keys
from blackstart.check.rules import judge
from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import K3s
from blackstart.errors import ToolFailed
from blackstart.providers import Existence
from blackstart.tools.age import THROWAWAY
from blackstart.tools.manifests import Place
from tests.check.conftest import findings, look
from tests.check.repository import CLUSTER, Repository, recipient_of

CONFIG = f"clusters/{CLUSTER}.yaml"
OTHER = THROWAWAY


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a log; refuses whoever does not send the password, if there is one."""

    password: ClassVar[str] = ""

    def do_GET(self) -> None:
        if self.password and self.headers.get("Authorization") != f"Basic {self.password}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        return


class Locked(Quiet):
    password = base64.b64encode(b"git:s3cret-token").decode()


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def remote(repository: Repository, tmp_path: Path) -> Iterator[str]:
    """The repository on a remote, and a cluster file that names it; what is committed later is not pushed."""
    with serving(partial(Quiet, directory=str(tmp_path))) as url:
        yield from _remote(repository, tmp_path, f"{url}/remote.git")


def _remote(repository: Repository, folder: Path, url: str, auth: str = "") -> Iterator[str]:
    repository.edit(CONFIG, "url: worktree", f"url: {url}{auth}")
    repository.edit(CONFIG, "{provider: embedded}", "{provider: existing}")
    repository.edit(CONFIG, "providers: builtin", "providers: registry")
    own = recipient_of(repository.key)
    repository.edit(CONFIG, f"- {own}", f"- {own}\n    - {OTHER}")
    repository.edit(".sops.yaml", own, f"{own},{OTHER}")
    repository.write(
        "gitops/apps/login.sops.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: l}\nstringData: {a: b}\n"
    )
    repository.encrypt("gitops/apps/login.sops.yaml")
    repository.commit()
    repository.git("clone", "-q", "--bare", ".", str(folder / "remote.git"))
    repository.git("-C", str(folder / "remote.git"), "update-server-info")
    yield url


def test_a_pushed_commit_has_no_finding(repository: Repository, remote: str) -> None:
    assert findings(repository) == []


def test_a_commit_that_is_not_pushed(repository: Repository, remote: str) -> None:
    repository.write("gitops/more.txt", "x")
    repository.commit()
    (only,) = findings(repository)
    assert (only.id, only.where) == ("git-not-pushed", f"{CONFIG}:2")
    assert f"git push {remote}" in only.hint


def test_a_branch_that_is_not_there(repository: Repository, remote: str) -> None:
    repository.edit(CONFIG, "path: gitops", "branch: other\n  path: gitops")
    (only,) = findings(repository)
    assert (only.id, only.where) == ("git-branch-missing", f"{CONFIG}:4")


def test_a_remote_that_does_not_answer(repository: Repository, remote: str) -> None:
    repository.edit(CONFIG, remote, remote.replace("remote.git", "absent.git"))
    (only,) = findings(repository)
    assert (only.id, only.where) == ("git-remote-unreachable", f"{CONFIG}:3")


def test_credentials_are_tried(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = "\n  auth: {kind: token, username: git, from: {env: GIT_TEST_TOKEN}}"
    with serving(partial(Locked, directory=str(tmp_path))) as url:
        for _ in _remote(repository, tmp_path, f"{url}/remote.git", auth):
            monkeypatch.setenv("GIT_TEST_TOKEN", "s3cret-token")
            assert findings(repository) == []
            monkeypatch.setenv("GIT_TEST_TOKEN", "an-old-token")
            (only,) = findings(repository)
            assert only.id == "git-remote-unreachable" and "an-old-token" not in str(only)
            monkeypatch.delenv("GIT_TEST_TOKEN")
            (only,) = findings(repository)
            assert only.id == "git-remote-unreachable" and "GIT_TEST_TOKEN" in only.message


class Api(BaseHTTPRequestHandler):
    """As much of the API as the checks ask for."""

    ahead: ClassVar[float] = 0
    data: ClassVar[Mapping[str, str]] = {}

    def do_GET(self) -> None:
        if self.path.startswith("/version"):
            self._answer({"gitVersion": "v1.36.3"})
        else:
            assert self.path.endswith("/namespaces/flux-system/secrets/sops-age")
            self._answer({"kind": "Secret", "data": dict(self.data)})

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.ahead, usegmt=True)

    def _answer(self, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        return


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def with_api(repository: Repository, data: Mapping[str, str], ahead: float = 0) -> list[Finding]:
    handler = type("Handler", (Api,), {"data": data, "ahead": ahead})
    with serving(handler) as url:
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "c", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }
        repository.write(f".blackstart/{CLUSTER}/kubeconfig", json.dumps(kubeconfig))
        assert findings(repository) == [], "fast: the running cluster is not asked"
        return findings(repository, fast=False)


def test_a_good_live_secret_and_clock(repository: Repository) -> None:
    key = coded(f"# comment\n{repository.key}\n")
    assert with_api(repository, {"age.agekey": key, "old.agekey": key}, ahead=5) == []


def test_a_malformed_extra_key_in_the_live_secret(repository: Repository) -> None:
    data = {"age.agekey": coded(repository.key), "extra.agekey": coded("garbage")}
    (only,) = with_api(repository, data)
    assert (only.id, only.where) == ("key-secret-malformed", "Secret/sops-age") and "extra.agekey" in only.message


def test_no_data_key_that_flux_reads(repository: Repository) -> None:
    (only,) = with_api(repository, {"age.key": coded(repository.key)})
    assert (only.id, only.severity) == ("key-secret-without-agekey", Severity.ERROR) and "age.key" in only.message


@pytest.mark.parametrize(("ahead", "word"), [(3600, "behind"), (-3600, "ahead of")])
def test_clocks_that_differ(repository: Repository, ahead: float, word: str) -> None:
    (only,) = with_api(repository, {"age.agekey": coded(repository.key)}, ahead)
    assert only.id == "clock-skew" and word in only.message


def test_a_cluster_that_does_not_answer_is_no_finding(repository: Repository) -> None:
    repository.write(f".blackstart/{CLUSTER}/kubeconfig", "clusters: [broken")
    assert findings(repository, fast=False) == []


def test_a_chart_repository(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "index.yaml").write_text("entries: {}\n")
    source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: flux-system\nspec:\n"
    repository.edit("gitops/controllers/maker.yaml", "kind: GitRepository", "kind: HelmRepository")
    repository.remove("gitops/certs/widget.yaml")
    repository.write("gitops/certs/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n")
    with serving(partial(Quiet, directory=str(tmp_path))) as url:
        repository.write("gitops/controllers/source.yaml", f"{source}  url: {url}/charts\n")
        repository.commit()
        assert findings(repository, fast=False) == []
        repository.write("gitops/controllers/source.yaml", f"{source}  url: {url}/absent\n")
        repository.commit()
        assert findings(repository) == [], "fast: no chart repository is asked"
        (only,) = findings(repository, fast=False)
    assert (only.id, only.where) == ("chart-unreachable", "gitops/controllers/maker.yaml:2")
    assert "404" in only.message


@pytest.fixture
def seen(repository: Repository) -> Evidence:
    return look(repository)


def configured(seen: Evidence, **changes: Any) -> Evidence:
    """The evidence under another cluster file."""
    merged = {**seen.config.model_dump(by_alias=True), **changes}
    return replace(seen, config=ClusterConfig.model_validate(merged))


def machine(seen: Evidence, **changes: Any) -> Evidence:
    return replace(seen, machine=replace(Machine(), **changes))


EXISTING = {
    "cluster": {"provider": "existing"},
    "providers": "registry",
    "git": {"url": "https://git.demo.test/x", "path": "gitops/clusters/demo", "fallback_url": "https://b.example/x"},
}


def test_what_this_machine_lacks(seen: Evidence) -> None:
    absent = Problem("etcd is not installed", "make setup")
    cases = {
        "tool-missing": machine(seen, tools={"etcd": absent}),
        "provider-not-ready": machine(seen, provider=Problem("docker does not run", "start it")),
        "disk-space": machine(seen, free=1 << 30),
        "clock-skew": machine(seen, skew=61.0),
    }
    for name, changed in cases.items():
        (only,) = judge(changed)
        assert (only.id, only.severity) == (name, Severity.ERROR), name
    assert judge(machine(seen, free=3 << 30, skew=-59.0)) == []


def test_builtin_providers_are_for_embedded_alone(seen: Evidence) -> None:
    mended = replace(configured(seen, **EXISTING), backups=Backups())
    assert [one.id for one in judge(mended)] == ["one-recipient"]
    broken = configured(mended, providers="builtin")
    assert [one.id for one in judge(broken)] == ["builtin-elsewhere", "one-recipient"]


def test_the_recovery_kit(seen: Evidence) -> None:
    other = replace(
        configured(seen, **EXISTING, sops={"recipients": [recipient_of(str(x25519.Identity.generate())), OTHER]}),
        secrets=(),
        key=replace(seen.key, recipients=(OTHER,)),
    )
    for backups, expected in (
        (Backups(), []),
        (Backups(state=1e9, newest=1e9 - 3600), []),
        (Backups(state=1e9), ["state-backup-stale"]),
        (Backups(state=1e9, newest=1e9 - 8 * 86400), ["state-backup-stale"]),
    ):
        key = replace(other, backups=backups)
        told = [one for one in judge(key) if one.id != "key-published"]
        assert [one.id for one in told] == expected and all(not one.stops for one in told)


def test_a_source_that_a_layer_serves(repository: Repository) -> None:
    head = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: g\n"
    repository.write("gitops/apps/route.yaml", f"{head}spec:\n  rules: [{{host: git.other.test}}]\n")
    repository.commit()
    git = {"url": "https://git.other.test/x", "path": "gitops/clusters/demo"}
    served = configured(look(repository), **{**EXISTING, "git": git})
    (only,) = [one for one in judge(served) if one.id == "self-hosted-source"]
    assert "layer apps" in only.message and only.severity is Severity.WARNING
    assert "self-hosted-source" not in {one.id for one in judge(configured(served, **EXISTING))}, "there is a fallback"
    elsewhere = configured(served, git={**git, "url": "https://notgit.other.test/x"})
    assert "self-hosted-source" not in {one.id for one in judge(elsewhere)}


def test_without_a_toolchain_each_tool_is_missing_and_nothing_else(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path / "empty"))
    told = findings(repository)
    assert {one.id for one in told} == {"tool-missing"}
    assert {"toolchain/build-layers", "toolchain/kwok"} <= {one.file for one in told}


def test_a_fallback_is_asked_when_the_source_is_lost_with_the_cluster(repository: Repository, remote: str) -> None:
    fallback = f"url: https://127.0.0.1:1/gone.git\n  fallback_url: {remote}"
    repository.edit(CONFIG, f"url: {remote}", fallback)
    assert findings(repository) == []


def test_a_chart_whose_source_is_unknown_to_git(seen: Evidence) -> None:
    chart = Chart("apps", "x", Place("f.yaml", 3), "HelmRepository", "absent", exists=False)
    (only,) = judge(replace(seen, charts=(*seen.charts, chart)))
    assert (only.id, only.where) == ("chart-source-missing", "f.yaml:3")


def test_live_keys_are_told_by_name_alone() -> None:
    key = str(x25519.Identity.generate())
    found = live_keys({"age.agekey": coded(key), "b.agekey": "!", "c.agekey": coded(""), "d.agekey": coded("x\ny")})
    assert found == {"age.agekey": True, "b.agekey": False, "c.agekey": False, "d.agekey": False}
    assert key not in repr(Live(found))


def test_a_host_has_seconds_to_answer_whatever_up_would_give_it(
    repository: Repository, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` ends within seconds (issue 5); the default of `ssh.timeout` is a minute."""
    asked: list[ClusterConfig] = []

    class Silent:
        def exists(self) -> Existence:
            raise ToolFailed("host s1 does not answer: timed out", hint="reach the hosts first")

    def silent(ws: Workspace, config: ClusterConfig) -> Silent:
        asked.append(config)
        return Silent()

    monkeypatch.setattr(gathering, "provider", silent)
    host = "servers: [{name: s1, address: 192.0.2.1}]"
    repository.edit(CONFIG, "{provider: existing}", f"{{provider: k3s, endpoint: k.example.test, {host}}}")
    stops = {one.id: one.message for one in findings(repository, fast=False) if one.stops}
    assert set(stops) == {"provider-not-ready", "cni-missing"} and "does not answer" in stops["provider-not-ready"]
    (config,) = asked
    assert isinstance(config.cluster, K3s) and config.cluster.ssh.timeout == gathering.SSH_SECONDS
