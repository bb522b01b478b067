"""Charts that need more than simulated pods: a webhook, a volume, a load balancer, CRDs that an operator registers.

Written here, packaged by helm, served on loopback, installed by Flux; a second release can be installed only when all
of that works (issue 6).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blackstart.gates import Object, Outcome, Ready, Snapshot, Waiting, condition
from blackstart.gates.flux import reconciled
from blackstart.report.drills import LIMITS
from blackstart.tools.kubernetes import Cluster
from blackstart.waiting import Wait, Watched, wait_for
from tests.cluster.chart_repository import helm, served
from tests.desk import Desk

pytestmark = pytest.mark.cluster
SPACE = "realism"
VERSION = "1.2.3"
CRD = "realpools.example.test"
DEMANDING = {
    "hook.yaml": """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: realism}
webhooks:
  - name: hook.example.test
    clientConfig: {service: {name: hook, namespace: realism}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: realism}}
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 2
""",
    "services.yaml": """
apiVersion: v1
kind: Service
metadata: {name: hook}
spec: {selector: {app: demanding}, ports: [{port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: LoadBalancer, selector: {app: demanding}, ports: [{port: 80}]}
""",
    "volume.yaml": """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: realism}
provisioner: csi.example.test
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data}
spec:
  serviceName: hook
  selector: {matchLabels: {app: demanding}}
  template:
    metadata: {labels: {app: demanding}}
    spec: {containers: [{name: main, image: example.test/none, volumeMounts: [{name: disk, mountPath: /data}]}]}
  volumeClaimTemplates:
    - metadata: {name: disk}
      spec: {accessModes: [ReadWriteOnce], storageClassName: realism, resources: {requests: {storage: 1Gi}}}
""",
}
DEPENDANT = {
    "pool.yaml": """
apiVersion: example.test/v1
kind: RealPool
metadata: {name: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: admitted}
"""
}
OPERATORS_CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {CRD}}}
spec:
  group: example.test
  names: {{kind: RealPool, plural: realpools}}
  scope: Namespaced
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
"""


@pytest.fixture
def charts(tmp_path: Path) -> Iterator[str]:
    """The URL of a chart repository on loopback that also serves the operator's CRD, under the chart's version."""
    folder = tmp_path / "served"
    for name, templates in (("demanding", DEMANDING), ("dependant", DEPENDANT)):
        chart = tmp_path / name / "templates"
        chart.mkdir(parents=True)
        (chart.parent / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {VERSION}\n")
        for file, text in templates.items():
            (chart / file).write_text(text)
        helm(tmp_path, "package", str(chart.parent), "-d", str(folder))
    (folder / VERSION).mkdir()
    (folder / VERSION / "crds.yaml").write_text(OPERATORS_CRD)
    with served(folder, tmp_path) as url:
        yield url


def release(name: str, crds: str = "") -> Object:
    chart = {"chart": name, "version": VERSION, "sourceRef": {"kind": "HelmRepository", "name": SPACE}}
    meta = {"name": name, "namespace": SPACE, "annotations": {"blackstart/runtime-crds": crds} if crds else {}}
    spec = {"interval": "1h", "timeout": "1m", "chart": {"spec": chart}}
    return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": meta, "spec": spec}


def install(api: Cluster, name: str, crds: str = "") -> None:
    """Let Flux install a chart, until it is Ready: Helm waits for its pods, claims and load balancers."""

    def is_ready(snapshot: Snapshot) -> Outcome:
        found = snapshot.get(("HelmRelease", SPACE, name))
        return reconciled(found) if found else Waiting("not seen yet")

    api.apply(dict(release(name, crds)), path=api.path_for(dict(release(name))))
    wait_for(api, Wait(name, (Watched("HelmRelease", SPACE),), 120), is_ready)


def registered(snapshot: Snapshot) -> Outcome:
    found = snapshot.get(("CustomResourceDefinition", "", CRD), {})
    return Ready() if condition(found, "Established").get("status") == "True" else Waiting("no CRD yet")


def gone(snapshot: Snapshot) -> Outcome:
    ours = [key for key in snapshot if SPACE in (key[1], key[2]) or key[0] == "PersistentVolume"]
    return Waiting(f"{ours[0]} is still there") if ours else Ready()


def take_away(api: Cluster) -> None:
    """The releases first: they need their namespace to be taken away."""
    for name in ("dependant", "demanding"):
        api.delete("HelmRelease", name, SPACE)
    wait_for(api, Wait("releases", (Watched("HelmRelease", SPACE),), 60), gone)
    api.delete("Namespace", SPACE)
    api.delete("CustomResourceDefinition", CRD)
    wait_for(api, Wait("what is left", (Watched("Namespace"), Watched("PersistentVolume")), 60), gone)


def test_what_simulated_pods_lack_is_simulated_and_said_in_the_run_and_its_report(ready: Desk, charts: str) -> None:
    api = ready.api()
    api.create("Namespace", {"metadata": {"name": SPACE}})
    source = {"metadata": {"name": SPACE, "namespace": SPACE}, "spec": {"interval": "1h", "url": charts}}
    source |= {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository"}
    api.create("HelmRepository", source)
    try:
        install(api, "demanding", crds=f"{charts}/{{version}}/crds.yaml")
        wait_for(api, Wait("the CRD", (Watched("CustomResourceDefinition"),), 60), registered)
        install(api, "dependant")
        assert api.get("ConfigMap", "admitted", SPACE) is not None
        volume = api.get("PersistentVolumeClaim", "disk-data-0", SPACE)
        assert volume is not None and volume["status"]["phase"] == "Bound"
        outside = api.get("Service", "outside", SPACE)
        assert outside is not None and outside["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
        _said(ready)
    finally:
        take_away(api)
    assert not api.list_all("PersistentVolume")


def _said(ready: Desk) -> None:
    told = ready.good("up").stderr
    aloud = [line for line in told.splitlines() if " warning " in line and "Ignore" in line]
    assert len(aloud) == 1 and aloud[0].endswith("webhook realism (realism/hook)")
    newest: dict[str, Any] = json.loads(sorted(ready.ws.runs.glob("*/report.json"))[-1].read_text())
    notes = newest["notes"]
    assert any("webhook realism (realism/hook)" in note for note in notes)
    assert any("realism/disk-data-0" in note for note in notes)
    assert any("realism/outside (192.0.2.1)" in note for note in notes)
    assert any("CRDs of realism/demanding" in note and VERSION in note for note in notes)
    assert LIMITS in notes
