"""`blackstart init` in repositories of several shapes; what it makes passes `check` and can be synthesized."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blackstart.cli import main
from blackstart.config import load
from blackstart.errors import BlackstartError, ConfigError, Unsafe
from blackstart.init import find, scaffold
from blackstart.tools import age
from tests.bootstrap import sync

PROJECT = Path(__file__).parents[2]
WHO = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false")
RECIPIENT = age.generate().recipients[0]
LAYER = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  retryInterval: 1m
  timeout: 5m
  sourceRef: {{kind: GitRepository, name: flux-system}}
  path: ./{path}
  prune: true
  wait: true
"""
SYNC = sync("ssh://git@git.example.test/ops/fleet", "trunk")
SOPS = f"creation_rules:\n  - path_regex: .*\\.sops\\.yaml$\n    age: {RECIPIENT}\n"


@pytest.fixture(autouse=True)
def a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SOPS_", "BLACKSTART_INIT"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")


def git(*words: str) -> None:
    subprocess.run(["git", *WHO, *words], check=True, capture_output=True)


def call(*words: str) -> Result:
    done = CliRunner().invoke(main, words, standalone_mode=False)
    if isinstance(done.exception, BlackstartError):
        raise done.exception
    assert done.exception is None, done.exception
    return done


def check(cluster: str) -> tuple[int, list[str]]:
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "x")
    done = call("-o", "json", "--cluster", cluster, "check", "--fast")
    told = json.loads(done.stdout)
    return int(done.return_value or 0), [one["id"] for one in told["findings"] if one["severity"] == "error"]


def tree() -> dict[str, bytes]:
    files = (path for path in Path().rglob("*") if ".git" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def test_an_empty_repository_becomes_one_that_passes_check_and_synthesizes() -> None:
    told = json.loads(call("-o", "json", "init", "--name", "demo").stdout)
    assert "keys/demo.agekey" in told["written"] and not told["kept"]
    assert told["next"][1] == "blackstart --cluster demo check"
    assert stat.S_IMODE(Path("keys/demo.agekey").stat().st_mode) == 0o600
    assert check("demo") == (0, [])
    tracked = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    assert "keys/demo.pub" in tracked and "keys/demo.agekey" not in tracked
    call("--cluster", "demo", "synth")
    manifest = json.loads(Path(".blackstart/demo/cdktf.out/manifest.json").read_text())
    assert set(manifest["stacks"]) == {"demo-cluster", "demo-sops-age", "demo-flux"}


def test_a_second_cluster_keeps_the_layers_and_adds_its_recipient() -> None:
    call("init", "--name", "one")
    before = tree()
    told = json.loads(call("-o", "json", "init", "--name", "two").stdout)
    assert told["kept"] == [".gitignore"]
    assert check("one") == (0, []) and check("two") == (0, [])
    after = tree()
    assert {name for name, content in before.items() if after[name] != content} == {".sops.yaml"}


def test_the_project_itself_gets_a_cluster_with_its_own_layers() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.startswith(("gitops/", "clusters/", "keys/", ".sops", ".source", ".gitignore")):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, name)
    told = json.loads(call("-o", "json", "init", "--name", "home", "--domain", "home.test").stdout)
    assert "gitops/flux/apps/kustomization.yaml" not in told["written"]
    assert "gitops/flux/apps/gitlab/initial-root.sops.yaml" in told["written"]  # opened by the key of cluster local
    assert load(Path.cwd(), "home").charts == "bundled"
    assert "components" in Path("gitops/flux/clusters/home/apps.yaml").read_text()
    assert check("home") == (0, [])


def test_nothing_is_overwritten_and_a_key_that_is_there_is_used() -> None:
    call("init", "--name", "demo")
    before = tree()
    with pytest.raises(Unsafe, match="nothing is overwritten"):
        call("init", "--name", "demo", "--domain", "other.test")
    assert tree() == before
    Path("clusters/demo.yaml").unlink()
    told = json.loads(call("-o", "json", "init", "--name", "demo").stdout)
    assert told["written"] == ["clusters/demo.yaml"] and "keys/demo.agekey" in told["kept"]
    assert tree() == before


def test_a_public_half_whose_key_is_elsewhere_is_no_reason_for_a_second_key() -> None:
    call("init", "--name", "demo")
    Path("clusters/demo.yaml").unlink()
    Path("keys/demo.agekey").unlink()
    before = tree()
    with pytest.raises(Unsafe, match="a key that is not here"):
        call("init", "--name", "demo")
    assert tree() == before


def test_a_key_that_lies_sealed_stays_the_only_one() -> None:
    write({"keys/demo.agekey.age": "sealed", "keys/demo.pub": RECIPIENT + "\n"})
    call("init", "--name", "demo")
    assert load(Path.cwd(), "demo").sops.recipients == [RECIPIENT] and not Path("keys/demo.agekey").exists()


def test_what_fails_in_the_middle_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    write({".gitignore": "mine\n", "README.md": "# mine\n"})
    before = tree()

    def fail(*_: object) -> None:
        assert Path("clusters/demo.yaml").is_file() and Path("keys/demo.agekey").is_file()
        raise OSError("no space")

    monkeypatch.setattr(scaffold, "rewrap", fail)
    done = CliRunner().invoke(main, ["init", "--name", "demo"])
    assert isinstance(done.exception, OSError)
    assert tree() == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--name", "Not_A_Name"), "cannot be a cluster's name"),
        (("--name", "k", "--provider", "k3s"), "nobody to ask"),
        (("--name", "k", "--provider", "existing"), "nobody to ask"),
        (("--name", "k", "--provider", "existing", "--git-url", "worktree"), "loopback"),
        (("--name", "k", "--git-url", "file:///x"), "Flux takes"),
        (("--name", "k", "--recipient", "age1nobody"), "not an Age recipient"),
    ],
)
def test_answers_that_do_not_fit_change_nothing(flags: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        call("init", *flags)
    assert tree() == {}


def test_hosts_and_the_remote_of_the_repository() -> None:
    git("remote", "add", "origin", "git@git.example.test:ops/fleet.git")
    servers = [word for number in (1, 2, 3) for word in ("--server", f"s{number}=192.0.2.{number}")]
    call("init", "--name", "metal", "--provider", "k3s", "--endpoint", "k8s.example.test", *servers)
    config = load(Path.cwd(), "metal")
    assert config.git.url == "ssh://git@git.example.test/ops/fleet.git" and config.providers == "registry"
    assert config.provider == "k3s" and [one.name for one in config.cluster.servers] == ["s1", "s2", "s3"]


def test_adopt_a_repository_of_flux_bootstrap() -> None:
    write({"clusters/staging/flux-system/gotk-sync.yaml": SYNC, ".sops.yaml": SOPS})
    before = tree()
    done = call("-o", "json", "init", "--adopt", "--kubeconfig", "~/.kube/staging")
    assert json.loads(done.stdout)["written"] == ["clusters/staging.yaml"]
    assert "clusters/staging/flux-system/ holds Flux and its GitRepository" in done.stderr
    config = load(Path.cwd(), "staging")
    assert (config.git.url, config.git.branch) == ("ssh://git@git.example.test/ops/fleet", "trunk")
    assert (config.git.path, config.provider, config.sops.recipients) == ("clusters/staging", "existing", [RECIPIENT])
    after = tree()
    after.pop("clusters/staging.yaml")
    assert after == before


def test_adopt_a_repository_of_the_kustomize_helm_layout() -> None:
    files = {".sops.yaml": SOPS, ".gitignore": ".blackstart/\n*.agekey\n"}
    for cluster in ("production", "staging"):
        infrastructure = LAYER.format(name="infrastructure", path="infrastructure/controllers")
        apps = LAYER.format(name="apps", path=f"apps/{cluster}") + "  dependsOn: [{name: infrastructure}]\n"
        files |= {f"clusters/{cluster}/infrastructure.yaml": infrastructure, f"clusters/{cluster}/apps.yaml": apps}
        files[f"apps/{cluster}/kustomization.yaml"] = "resources: [../base]\n"
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n"
    for folder in ("apps/base", "infrastructure/controllers"):
        files[f"{folder}/kustomization.yaml"] = "resources: [namespace.yaml]\n"
        files[f"{folder}/namespace.yaml"] = space.format(folder.replace("/", "-"))
    write(files)
    with pytest.raises(ConfigError, match="found: production, staging"):
        call("init", "--adopt")
    call("init", "--adopt", "--name", "staging")
    config = load(Path.cwd(), "staging")
    assert (config.git.path, config.git.url, config.provider) == ("clusters/staging", "worktree", "embedded")
    assert check("staging") == (7, ["key-missing"])  # the private key of .sops.yaml is with its owner


def test_adopt_a_path_outside_clusters_and_check_it_without_the_folder_of_bootstrap() -> None:
    call("init", "--name", "seed")  # its layers, its key
    Path("deploy").mkdir()
    shutil.move("gitops/flux/clusters/seed", "deploy/east")
    sync = SYNC.replace("./clusters/staging", "./deploy/east")
    listed = "resources: [controllers.yaml, certs.yaml, apps.yaml]\n"
    write({"deploy/east/flux-system/gotk-sync.yaml": sync, "deploy/east/kustomization.yaml": listed})
    Path("clusters/seed.yaml").unlink()
    Path("clusters").rmdir()
    Path("keys/seed.agekey").rename("keys/east.agekey")
    settings = ("--domain", "east.test", "--ip-range", "192.0.2.0/26", "--storage", "standard")
    call("init", "--adopt", "--provider", "embedded", "--git-url", "worktree", *settings)
    assert load(Path.cwd(), "east").git.path == "deploy/east"
    assert check("east") == (0, [])


def test_on_a_terminal_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = "\n".join(("home", "embedded", "2", "worktree", "trunk", "home.test", "192.0.2.64/26", "fast")) + "\n"
    monkeypatch.setattr("blackstart.cli.init.on_terminal", lambda: True)
    done = CliRunner().invoke(main, ["init"], input=answers, standalone_mode=False)
    assert done.exception is None, done.exception
    config = load(Path.cwd(), "home")
    assert (config.git.branch, config.cluster.nodes) == ("trunk", 2)
    assert config.settings == {"domain": "home.test", "ip_pool": "192.0.2.64/26", "storage_class": "fast"}
    assert "Storage class [iscsi]" in done.stderr and "Storage class" not in done.stdout


def test_adopt_without_recipients_or_without_flux_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="found: none"):
        find(Path.cwd())
    write({"clusters/staging/flux-system/gotk-sync.yaml": SYNC})
    with pytest.raises(ConfigError) as caught:
        call("init", "--adopt")
    assert "keys new" in caught.value.hint and not Path("clusters/staging.yaml").exists()
