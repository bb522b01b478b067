"""`init` to `drill`, by the command line alone: a new repository, and two that Flux deployed before (issue 6)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyrage import x25519

from blackstart.report.drills import LIMITS
from tests.bootstrap import sync
from tests.check.repository import DECRYPTION, DEPENDS, LAYER, SECRET, SOPS, Repository, recipient_of
from tests.desk import PROJECT, Desk, free_port

pytestmark = pytest.mark.cluster
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: app\n"
SYNC = sync("ssh://git@127.0.0.1:1/ops/fleet", "main")
CHART = {
    "charts/podinfo/Chart.yaml": "apiVersion: v2\nname: podinfo\nversion: 0.1.0\n",
    "charts/podinfo/templates/map.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: podinfo}\ndata: {host: {{ .Values.host | quote }}}\n"
    ),
}
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podinfo, namespace: app}
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/podinfo
      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
"""
OVERLAY = "  values: {host: staging.example.test}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A Git repository without a file in it, and a key."""
    made = Repository(tmp_path, str(x25519.Identity.generate()))
    made.git("init", "-q", "-b", "main")
    return made


def desk_of(repository: Repository, cluster: str) -> Desk:
    """The repository, in which nothing of this project lies, as an operator's desk."""
    return Desk(repository.root, free_port(), cluster, {"PYTHONPATH": str(PROJECT)})


def rehearsed(repository: Repository, cluster: str, errors: tuple[str, ...] = ()) -> None:
    """Committed, it passes `check` and a drill, whose report says what simulated pods prove."""
    repository.commit()
    desk = desk_of(repository, cluster)
    found = desk.run("-o", "json", "check", "--fast").json()["findings"]
    assert tuple(one["id"] for one in found if one["severity"] == "error") == errors, found
    told = desk.good("-o", "json", "drill", "--scenario", "key-deleted").stdout
    (result,) = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert result["passed"] and result["message"] == "marker kept"
    (report,) = desk.ws.runs.glob("*/report.json")
    assert LIMITS in json.loads(report.read_text())["notes"]


def sealed(repository: Repository, cluster: str, files: dict[str, str]) -> None:
    """Write the files and a Secret in `apps/`, encrypted; its key lies where the cluster's owner would put it."""
    pattern = SOPS.format(recipient=recipient_of(repository.key)).replace("gitops/.*", ".*")
    layered = {".sops.yaml": pattern, ".gitignore": ".blackstart/\n*.agekey\ndrill.xml\n", **files}
    for name, text in {**layered, f"apps/{cluster}/login.sops.yaml": SECRET}.items():
        repository.write(name, text)
    repository.encrypt(f"apps/{cluster}/login.sops.yaml")
    repository.write(f"keys/{cluster}.agekey", f"{repository.key}\n")
    (repository.root / f"keys/{cluster}.agekey").chmod(0o600)


def test_a_repository_made_by_init(repository: Repository) -> None:
    desk_of(repository, "demo").good("init", "--name", "demo")
    rehearsed(repository, "demo")


def test_a_repository_of_the_kustomize_helm_layout(repository: Repository) -> None:
    """That of flux2-kustomize-helm-example: a base, an overlay a cluster, `clusters/<name>/` with the layers."""
    apps = LAYER.format(name="apps", path="apps/staging") + DECRYPTION + DEPENDS.format("infrastructure")
    files = {
        "clusters/staging/infrastructure.yaml": LAYER.format(name="infrastructure", path="infrastructure/controllers"),
        "clusters/staging/apps.yaml": apps,
        "infrastructure/controllers/kustomization.yaml": "resources: [namespace.yaml]\n",
        "infrastructure/controllers/namespace.yaml": SPACE,
        "apps/base/kustomization.yaml": "resources: [podinfo.yaml]\n",
        "apps/base/podinfo.yaml": RELEASE,
        "apps/staging/kustomization.yaml": "resources: [../base, login.sops.yaml]\npatches: [{path: values.yaml}]\n",
        "apps/staging/values.yaml": RELEASE.partition("  interval")[0] + OVERLAY,
    }
    sealed(repository, "staging", {**files, **CHART})
    desk_of(repository, "staging").good("init", "--adopt")
    rehearsed(repository, "staging")


def test_a_repository_of_the_layout_of_flux_bootstrap(repository: Repository) -> None:
    """Its cluster is somebody's, at a remote; a drill rehearses it on an embedded one, from the commit that is here."""
    files = {
        "clusters/staging/flux-system/gotk-sync.yaml": SYNC,
        "clusters/staging/flux-system/kustomization.yaml": "resources: [gotk-sync.yaml]\n",
        "clusters/staging/kustomization.yaml": "resources: [apps.yaml]\n",  # as docs/init.md asks
        "clusters/staging/apps.yaml": LAYER.format(name="apps", path="apps/staging") + DECRYPTION,
        "apps/staging/namespace.yaml": SPACE,
    }
    sealed(repository, "staging", files)
    desk_of(repository, "staging").good("init", "--adopt", "--kubeconfig", "~/.kube/staging")
    rehearsed(repository, "staging", ("git-remote-unreachable",))
