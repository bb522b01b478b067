"""The provider `existing`, on an embedded cluster that blackstart's runs did not make: drained by `down`, never ended.

The registry's pair of providers, which such a cluster is bound to, is not on loopback; so the steps run without the
preflight that refuses the builtin pair, which the test sees refuse it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart import recipes
from blackstart.config import Workspace, load
from blackstart.progress import Progress
from blackstart.steps import execute
from blackstart.steps.prepare import Preflight
from blackstart.steps.run import Run
from blackstart.tools.kubernetes import Cluster, Object
from tests.check.repository import Repository, good
from tests.desk import PROJECT, Desk, free_port

pytestmark = pytest.mark.cluster
HOLD = "example.test/hold"
CLUSTER_FILE = """\
cluster: {{provider: existing, kubeconfig: {kubeconfig}}}
git: {{url: "http://127.0.0.1:{port}/git.git", path: gitops/clusters/demo}}
providers: builtin
sops: {{recipients: [{recipient}]}}
charts: bundled
settings: {{domain: demo.test, ip_pool: 192.0.2.0/28}}
timeouts: {{flux: 15}}
"""
OUTSIDE = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: csi.example.test
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: app}
spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: app}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Desk]:
    """A desk with the cluster file `theirs`; its cluster was made, and is served the commit, by somebody else."""
    repository = good(tmp_path / "repository")
    owner = Desk(repository.root, free_port(), "demo", {"PYTHONPATH": str(PROJECT)})
    kubeconfig = owner.ws.embedded / "kubeconfig"
    repository.write("gitops/apps/outside.yaml", OUTSIDE)
    repository.write("keys/theirs.agekey", f"{repository.key}\n")
    (repository.root / "keys/theirs.agekey").chmod(0o600)
    repository.write("clusters/theirs.yaml", _cluster_file(repository, owner.port, kubeconfig))
    repository.commit()
    try:
        for action in ("create", "wait"):
            argv = [sys.executable, "-m", "blackstart.embedded", action, "--cluster", "demo"]
            subprocess.run(argv, cwd=owner.root, env=owner.environment(), check=True, capture_output=True, timeout=200)
        yield Desk(owner.root, owner.port, "theirs", owner.extra)
    finally:
        owner.remove_cluster()


def _cluster_file(repository: Repository, port: int, kubeconfig: Path) -> str:
    recipient = (repository.root / ".sops.yaml").read_text().rpartition("age: ")[2].strip()
    return CLUSTER_FILE.format(kubeconfig=kubeconfig, port=port, recipient=recipient)


def test_a_cluster_of_somebody_else_is_drained_and_left(theirs: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(theirs.root)
    refused = theirs.run("up")
    assert (refused.code, "builtin-elsewhere" in refused.stderr) == (8, True)
    config = load(theirs.root, "theirs")
    ws = Workspace(theirs.root, "theirs")
    ws.make()
    steps = [step for step in recipes.up(config) if not isinstance(step, Preflight)]
    execute(steps, Run(ws, config, Progress(), ws.runs / "test"))
    api = theirs.api()
    uid = api.identity().uid
    _settle_a_neighbour(api)

    assert theirs.run("down").code == 8
    assert api.get("Namespace", "app") is not None
    done = theirs.good("down", "--confirm", "theirs")

    order = [line.split()[1] for line in done.stderr.splitlines() if line.endswith(" ready pruned")]
    assert order == ["layers/apps", "layers/certs", "layers/controllers"]
    (held,) = [line for line in done.stderr.splitlines() if " warning " in line]
    assert f"Widget.example.com/first (finalizers {HOLD})" in held
    left = api.raw("apis/example.com/v1/widgets/first")
    assert left is not None and left["metadata"]["finalizers"] == [HOLD]
    assert api.identity().uid == uid
    _only_the_neighbour_is_left(api)
    assert [file.name for file in ws.states.glob("*.tfstate") if '"resources": []' not in file.read_text()] == []


def _settle_a_neighbour(api: Cluster) -> None:
    """What is not ours, a layer that is suspended, and an object that somebody holds."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "neighbour"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs", "namespace": "neighbour"}}
    for body in (space, {**service, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}):
        api.apply(dict(body), path=api.path_for(dict(body)))
    api.patch("Kustomization", "apps", "flux-system", {"spec": {"suspend": True}})
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "first", "finalizers": [HOLD]}}
    api.apply(widget, path=api.path_for(widget))


def _only_the_neighbour_is_left(api: Cluster) -> None:
    spaces = {one["metadata"]["name"] for one in api.list_all("Namespace")}
    assert spaces == {"default", "kube-node-lease", "kube-public", "kube-system", "neighbour"}
    assert [one["metadata"]["name"] for one in api.list_all("PersistentVolume")] == []
    assert [one["metadata"]["name"] for one in api.list_all("Service") if one["spec"]["type"] == "LoadBalancer"] == [
        "theirs"
    ]
    crds = [one["metadata"]["name"] for one in api.list_all("CustomResourceDefinition")]
    assert crds == ["widgets.example.com"]  # Helm leaves what lies in a chart's folder crds
