"""Helm releases against what is in the cluster: Helm compares only with its own record, and so does terraform."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.tools.kubernetes import Cluster, Object, UnknownKind


def revisions(cluster: Cluster, name: str, namespace: str) -> list[Object]:
    """The Secrets in which Helm records a release, the newest last."""
    found = cluster.list_all("Secret", namespace, labels=f"owner=helm,name={name}")
    return sorted(found, key=lambda secret: int(secret["metadata"]["labels"].get("version", 0)))


def missing(cluster: Cluster, name: str, namespace: str) -> list[str]:
    """The objects of a release that somebody deleted: `Deployment/source-controller`."""
    known = revisions(cluster, name, namespace)
    deployed = [one for one in known if one["metadata"]["labels"].get("status") == "deployed"]
    gone = [body for body in _objects(deployed) if not _is_there(cluster, body, namespace)]
    return [f"{body['kind']}/{body['metadata']['name']}" for body in gone]


def _objects(secrets: list[Object]) -> Iterator[dict[str, Any]]:
    """What the newest revision applied.

    Helm's record (helm.sh/helm/v3, pkg/storage/driver/util.go) is JSON, gzip, base64, and base64 again as a Secret.
    """
    if not secrets:
        return
    try:
        packed = base64.b64decode(base64.b64decode(secrets[-1]["data"]["release"]))
        manifest = json.loads(gzip.decompress(packed))["manifest"]
        documents = list(YAML(typ="safe").load_all(manifest))
    except (KeyError, ValueError, OSError, binascii.Error, YAMLError):
        return
    yield from (body for body in documents if isinstance(body, dict) and "kind" in body)


def _is_there(cluster: Cluster, body: dict[str, Any], namespace: str) -> bool:
    """Whether an object exists; one whose kind the API does not serve (its CRD is gone) does not."""
    placed = {**body, "metadata": {"namespace": namespace, **body["metadata"]}}
    try:
        return cluster.raw(cluster.path_for(placed)) is not None
    except UnknownKind:
        return False
