"""The legacy pair of providers in the place of the registry's, where no registry is: a remote run's configuration is
translated on its way in, what it leaves on its way out.

What it stands in for alone: types without `_v1`, no write-only attributes (the state is kept without the content of
Secrets, as the registry's pair would keep it), no ephemeral variables. With BLACKSTART_REGISTRY_MIRROR the
registry's own pair runs, and nothing is translated.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from blackstart.config.cache import builtin_lock
from blackstart.config.pairs import VERSIONS

Json = dict[str, Any]
MODERN = re.compile(r"\bkubernetes_(namespace|secret|config_map)_v1\b")
LEGACY = re.compile(r"\bkubernetes_(namespace|secret|config_map)\b")


def older(text: str) -> str:
    """Types and addresses as the legacy pair names them."""
    return MODERN.sub(r"kubernetes_\1", text)


def newer(text: str) -> str:
    """Types and addresses as the registry's pair names them."""
    return LEGACY.sub(r"kubernetes_\1_v1", text)


def translate(folder: Path) -> None:
    """A run's folder, for the legacy pair; a stack without its providers is left as it is."""
    for path in folder.glob("*.tf.json"):
        stack: Json = json.loads(older(path.read_text()))
        for name, provider in stack.get("terraform", {}).get("required_providers", {}).items():
            provider["version"] = VERSIONS["builtin"][name]
        for secret in stack.get("resource", {}).get("kubernetes_secret", {}).values():
            secret.pop("data_wo_revision")
            secret["data"] = secret.pop("data_wo")
        for variable in stack.get("variable", {}).values():
            variable.pop("ephemeral", None)
        path.write_text(json.dumps(stack))
    shutil.copyfile(builtin_lock(), folder / ".terraform.lock.hcl")


def without_content(raw: bytes) -> bytes:
    """A state in the registry's words, in which no Secret has a content (its keys stay: terraform marks them)."""
    state = json.loads(newer(raw.decode()))
    for resource in state["resources"]:
        if resource["type"] == "kubernetes_secret_v1":
            for instance in resource["instances"]:
                instance["attributes"]["data"] = dict.fromkeys(instance["attributes"]["data"] or {}, "")
    return json.dumps(state).encode()
