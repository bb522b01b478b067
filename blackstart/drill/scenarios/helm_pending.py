"""Helm was killed in an upgrade: the newest revision is pending, and Helm refuses to go on."""

from __future__ import annotations

import base64
import gzip
import json

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario


def fault(bed: Bed, seed: int) -> Damage:
    """Add a pending revision to release flux-sync, and make the next apply upgrade it."""
    api = bed.api()
    name = "sh.helm.release.v1.flux-sync.v1"
    secret = api.get("Secret", name, "flux-system") or {}
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    release["version"] = 2
    release["info"]["status"] = "pending-upgrade"
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    labels = {**secret["metadata"]["labels"], "status": "pending-upgrade", "version": "2"}
    meta = {"name": "sh.helm.release.v1.flux-sync.v2", "namespace": "flux-system", "labels": labels}
    api.create("Secret", {"metadata": meta, "type": secret["type"], "data": {"release": packed}})
    path = bed.repository / "clusters" / f"{bed.cluster}.yaml"
    bed.commit_file(f"clusters/{bed.cluster}.yaml", path.read_text().replace("settings:", "settings:\n  drill: again"))
    return Damage()


SCENARIO = Scenario("helm-pending", fault)
