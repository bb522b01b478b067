"""One synth of all the clusters below serves every test of this folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blackstart.synth import run_app

ROOT = Path(__file__).parents[2]
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
COMMON = f"sops: {{recipients: [{RECIPIENT}]}}\nsettings: {{domain: example.test, odd: 'a ${{b}} %{{c}}'}}\n"
WORKTREE = "git: {url: worktree, path: gitops/flux/clusters/local}\n"
REMOTE = "git: {url: 'https://git.example.test/ops.git', path: gitops/flux/clusters/production/"

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
KNOWN_HOSTS = f"192.0.2.11,192.0.2.12,192.0.2.13 {HOST_KEY}\n[192.0.2.21]:2222 {HOST_KEY}\n"

CLUSTERS = {
    "builtin": f"cluster: {{provider: embedded}}\nproviders: builtin\n{WORKTREE}",
    "modern": "cluster: {provider: embedded, nodes: 3}\n"
    f"{REMOTE}, auth: {{kind: token, from: {{env: GIT_TOKEN}}}}}}\n",
    "single": f"cluster: {{provider: embedded}}\nproviders: builtin\nstate: {{layout: single}}\n{WORKTREE}",
    "hcp": f"cluster: {{provider: existing, kubeconfig: /home/me/kubeconfig}}\n{REMOTE}}}\nstate: {{backend: cloud,"
    " cloud: {organization: acme, hostname: tfe.example.test, execution: remote}}\n",
    "bucket": "cluster: {provider: existing, kubeconfig: ~/.kube/config, context: ops}\n"
    f"{REMOTE}}}\nstate: {{backend: s3, s3: {{bucket: states, region: eu, use_lockfile: true}}}}\n",
    "metal": "cluster: {provider: k3s, endpoint: k8s.example.test, servers: [{name: s1, address: 192.0.2.11}, {name:"
    " s2, address: 192.0.2.12}, {name: s3, address: 192.0.2.13}], agents: [{name: a1, address: 192.0.2.21, port:"
    " 2222}], ssh: {user: ops, key: ~/.ssh/id, known_hosts: keys/known_hosts}, install: {version: v1.34.1+k3s1}}\n"
    f"{REMOTE}}}\n",
    "shared": f"cluster: {{provider: kind}}\n{WORKTREE}state: {{backend: http, http: {{"
    "address: 'https://git.example.test/state/{stack}', lock_address: 'https://git.example.test/state/{stack}/lock'}}\n",
}


def add_charts(cache: Path) -> None:
    """Small charts where the toolchain puts Flux's: a synth copies them and looks at nothing in them."""
    for name in ("flux-crds", "flux"):
        chart = cache / "flux" / "2.9.4" / name
        chart.mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 2.9.4\n")
    (cache / "locks").mkdir()
    (cache / "locks" / "builtin.terraform.lock.hcl").write_text("# the lock of the builtin pair\n")


def checkout(folder: Path) -> Path:
    """What a synth reads of this repository, at another place, with the clusters of this file."""
    for name in ("stacks", "modules", "blackstart"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", folder)
    (folder / "clusters").mkdir(exist_ok=True)
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "known_hosts").write_text(KNOWN_HOSTS)
    for name, text in CLUSTERS.items():
        (folder / "clusters" / f"{name}.yaml").write_text(text + COMMON)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the toolchain with what a synth needs of it."""
    made = tmp_path_factory.mktemp("cache")
    add_charts(made)
    return made


@pytest.fixture
def installed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toolchain is that cache."""
    monkeypatch.setenv("BLACKSTART_CACHE", str(cache))


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Callable[[str], Path]:
    """Makes a checkout with the given folder name, synthesizes its clusters, gives the folder of the stacks."""
    with pytest.MonkeyPatch.context() as patch:

        def make(name: str) -> Path:
            root = checkout(tmp_path_factory.mktemp(name))
            patch.setenv("BLACKSTART_CACHE", str(cache))
            run_app(root, "*", root / "cdktf.out")
            patch.undo()
            return root / "cdktf.out" / "stacks"

        return make


@pytest.fixture(scope="session")
def stacks(synthesize: Callable[[str], Path]) -> Path:
    """The folder with a folder for each stack of each cluster."""
    return synthesize("checkout")


@pytest.fixture
def fresh_checkout(tmp_path: Path) -> Path:
    """A checkout that a test may change."""
    return checkout(tmp_path / "fresh")
