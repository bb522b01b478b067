"""The door to helm: a chart rendered without a cluster."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackstart import toolchain
from blackstart.tools.process import Command, run

RENDER_SECONDS = 60.0


def template(release: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> str:
    """The manifests of a chart in a folder, its CRDs too. Raises CommandFailed with helm's reason."""
    with tempfile.TemporaryDirectory(prefix="blackstart-helm-") as home:
        own = {name: home for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")}
        wanted = ("template", release, str(chart), "--namespace", namespace, "--include-crds", "--values", "-")
        command = Command(
            (str(toolchain.path("helm")), *wanted), env=own, stdin=json.dumps(dict(values)), timeout=RENDER_SECONDS
        )
        return run(command).stdout
