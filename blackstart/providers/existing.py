"""A cluster that somebody else made: reached by a kubeconfig, or by host, CA and token of the environment."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config import Workspace
from blackstart.config.model import Existing
from blackstart.errors import ConfigError
from blackstart.providers import Existence
from blackstart.tools.process import hide

FILES = {
    "clusters": {"certificate-authority": "certificate-authority-data"},
    "users": {"client-certificate": "client-certificate-data", "client-key": "client-key-data"},
}


@dataclass(frozen=True, slots=True)
class ExistingProvider:
    """It has no record but the cluster's own API: it never says that a cluster is lost."""

    ws: Workspace
    shape: Existing

    def exists(self) -> Existence:
        """Always: nobody but its owner can tell otherwise (design, section 6)."""
        return Existence(True, True, "made by somebody else: only its API can tell")

    def kubeconfig(self) -> str:
        """One context of the operator's kubeconfig, its files embedded; or one made of the environment."""
        if not self.shape.kubeconfig:
            return from_environment(os.environ)
        path = self.ws.root / Path(self.shape.kubeconfig).expanduser()
        return one_context(path, self.shape.context)

    def start(self) -> None:
        """Only its owner can. Raises ConfigError."""
        raise ConfigError(
            f"blackstart did not make the cluster {self.ws.cluster} and cannot start it",
            hint=f"start it, then: blackstart --cluster {self.ws.cluster} up",
        )


def from_environment(environment: Mapping[str, str]) -> str:
    """A kubeconfig of KUBE_HOST, KUBE_TOKEN and KUBE_CLUSTER_CA_CERT_DATA (PEM), as Terraform's providers read them.

    Raises ConfigError when one is missing.
    """
    needed = ("KUBE_HOST", "KUBE_TOKEN", "KUBE_CLUSTER_CA_CERT_DATA")
    missing = [name for name in needed if not environment.get(name)]
    if missing:
        raise ConfigError(
            f"the cluster file names no kubeconfig, and the environment has no {', '.join(missing)}",
            hint="set them, or cluster.kubeconfig in the cluster file",
        )
    host, token, ca = (environment[name] for name in needed)
    hide(token)
    server = host if "://" in host else f"https://{host}"
    data = base64.b64encode(ca.encode()).decode()
    return _text({"server": server, "certificate-authority-data": data}, {"token": token}, "")


def one_context(path: Path, context: str) -> str:
    """The named context (empty: the current one) of a kubeconfig, alone, so that no other can be reached by mistake.

    Raises ConfigError when the file or the context is not there.
    """
    try:
        whole = YAML(typ="safe").load(path.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="edit cluster.kubeconfig") from None
    except YAMLError:
        raise ConfigError(f"{path} is not a kubeconfig", hint="edit cluster.kubeconfig") from None
    name = context or whole.get("current-context", "")
    found = _named(whole, "contexts", name, path)["context"]
    cluster = _named(whole, "clusters", found["cluster"], path)["cluster"]
    user = _named(whole, "users", found["user"], path)["user"]
    hide(str(user.get("token", "")))
    folder = path.parent
    return _text(_embedded("clusters", cluster, folder), _embedded("users", user, folder), found.get("namespace", ""))


def _named(whole: Mapping[str, Any], section: str, name: str, path: Path) -> dict[str, Any]:
    for entry in whole.get(section) or []:
        if entry.get("name") == name:
            found: dict[str, Any] = entry
            return found
    known = ", ".join(entry["name"] for entry in whole.get("contexts") or []) or "none"
    raise ConfigError(
        f"{path} has no {section.removesuffix('s')} {name!r} (contexts: {known})", hint="edit cluster.context"
    )


def _embedded(section: str, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Files that a kubeconfig names are relative to its folder: the copy holds their content instead."""
    whole = dict(entry)
    for key, data in FILES[section].items():
        if key in whole:
            whole[data] = _base64(folder / whole.pop(key))
    if "tokenFile" in whole:
        whole["tokenFile"] = str(folder / whole["tokenFile"])
    return whole


def _base64(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise ConfigError(
            f"the kubeconfig names {path}, which cannot be read: {error.strerror}", hint="edit cluster.kubeconfig"
        ) from None


def _text(cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str) -> str:
    name = "blackstart"
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    text = io.StringIO()
    YAML(typ="safe").dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": dict(cluster)}],
            "users": [{"name": name, "user": dict(user)}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        },
        text,
    )
    return text.getvalue()
