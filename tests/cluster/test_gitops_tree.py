"""The layers of this repository on a real API: what production would apply, real reasons, Secrets in use."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from blackstart.config import load
from blackstart.tools.kubernetes import Cluster
from tests.cluster.test_by_hand import apply, synth
from tests.desk import Desk
from tests.layers.test_build import cluster_layers, configured, fetched

pytestmark = pytest.mark.cluster
Doc = Mapping[str, Any]


def rest_path(api: Cluster, one: Doc) -> str:
    """Where the API keeps an object, looked up by discovery. Fails when the API does not know the kind."""
    version, kind = one["apiVersion"], one["kind"]
    base = f"apis/{version}" if "/" in version else f"api/{version}"
    served = (api.raw(base) or {"resources": []})["resources"]
    known = {entry["kind"]: entry for entry in served if "/" not in entry["name"]}
    assert kind in known, f"{version} {kind} is not served"
    folder = f"namespaces/{one['metadata']['namespace']}/" if known[kind]["namespaced"] else ""
    return f"{base}/{folder}{known[kind]['name']}/{one['metadata']['name']}"


def without_sops(one: Doc) -> Doc:
    """The shape that Flux applies once it has decrypted; the values do not matter to a dry run."""
    return {key: value for key, value in one.items() if key != "sops"}


@pytest.mark.parametrize(("cluster", "charts"), [("production", "upstream"), ("production", "bundled")])
def test_every_manifest_passes_a_server_side_dry_run(ready: Desk, tmp_path: Path, cluster: str, charts: str) -> None:
    api = ready.api()
    for objects in cluster_layers(fetched(tmp_path), configured(cluster, charts)).values():
        for one in objects:
            applied = api.apply(without_sops(one), path=rest_path(api, one), dry_run=True)
            assert applied["metadata"]["name"] == one["metadata"]["name"]


def test_releases_use_the_decrypted_secrets(ready: Desk) -> None:
    api = ready.api()
    config = api.get("Secret", "democratic-csi-iscsi-driver-config", "democratic-csi")
    assert config is not None
    driver = base64.b64decode(config["data"]["driver-config-file.yaml"]).decode()
    assert "apiKey: dummy-nas-api-key" in driver
    assert f"host: {load(ready.root, 'local').settings['nas_host']}" in driver
    grafana = api.get("Deployment", "monitoring-grafana", "monitoring")
    secret = api.get("Secret", "grafana-admin", "monitoring")
    assert grafana is not None
    assert secret is not None
    assert base64.b64decode(secret["data"]["admin-user"]) == b"admin"
    assert "grafana-admin" in json.dumps(grafana["spec"]["template"]["spec"]["containers"][0]["env"])


def test_a_layer_before_its_time_fails_for_the_real_reason_and_is_made_good(desk: Desk) -> None:
    """Issue 3, item 8: without `dependsOn`, certs meets an API that does not know its kinds yet.

    `up` refuses such a commit; plain terraform, which checks nothing, hands it to Flux.
    """
    desk.edit("gitops/flux/clusters/local/certs.yaml", "  dependsOn:\n    - name: controllers\n", "")
    desk.commit("certs does not wait for controllers")
    refused = desk.run("up")
    assert (refused.code, "depends-on-missing" in refused.stderr) == (2, True)
    synth(desk)
    for part in ("cluster", "sops-age", "flux"):
        apply(desk, f"local-{part}")
    desk.good("status", "--wait")
    said = list(_messages(desk.api(), "certs"))
    assert any("no matches for kind" in message for message in said), said


def _messages(api: Cluster, layer: str) -> Iterator[str]:
    for event in api.list_all("Event", "flux-system"):
        about = event["involvedObject"]
        if (about["kind"], about["name"]) == ("Kustomization", layer):
            yield str(event.get("message", ""))
