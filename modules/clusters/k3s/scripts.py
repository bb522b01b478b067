"""What runs on the hosts: POSIX shell from the files beside this one, each idempotent, with its settings in front."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart.config.model import K3s
from blackstart.errors import ConfigError
from modules.cdktf import literal
from modules.place import Place

HERE = Path(__file__).parent
OURS = ("servicelb", "traefik", "local-storage")
"""Left out of k3s: Cilium announces Services and routes for the Gateway API, democratic-csi has the default class."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script as terraform sends it (`${self…}` of the settings is terraform's), and its private folder on the host,
    seen from the user's home."""

    folder: str
    text: str

    @property
    def prepare(self) -> str:
        """Makes the folder: a token must not lie open for a moment."""
        return f"umask 077 && rm -rf {self.folder} && mkdir -p {self.folder}"

    def file(self, name: str) -> str:
        """Where a file goes."""
        return f"{self.folder}/{name}"


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts for one cluster."""

    place: Place
    shape: K3s

    def install(self, node: str, kind: str, mode: str) -> Script:
        """Bring k3s to run on this host; `mode` is `join`, which leaves a running k3s alone, or `upgrade`."""
        first, *others = self.shape.servers
        founds = kind == "server" and node == first.name
        return self._script(
            "install.sh",
            node,
            kind=kind,
            mode=mode,
            version=self.shape.install.version,
            installer=self.shape.install.script,
            script=self._script_of_ours(),
            endpoint=self._endpoint,
            others=" ".join(f"https://{_host(one.address)}:{self.shape.api_port}" for one in others) if founds else "",
            founds="yes" if founds else "no",
            config=json.dumps(self._config(node, kind), indent=1),
        )

    def wait(self, nodes: Sequence[str], seconds: int) -> Script:
        """Until the API is ready and all nodes have registered."""
        return self._script("wait.sh", self.shape.servers[0].name, nodes=" ".join(nodes), seconds=str(seconds))

    def drain(self, node: str) -> Script:
        """Drain a node whose version is another one than the wanted."""
        return self._script("drain.sh", node, version=self.shape.install.version)

    def uncordon(self, node: str) -> Script:
        """Let a node be used again."""
        return self._script("uncordon.sh", node)

    def leave(self, node: str) -> Script:
        """Drain a node for a minute, then delete it from the cluster; run on a server that stays."""
        return self._script("leave.sh", node)

    def uninstall(self, node: str, uninstaller: str) -> Script:
        """k3s and all its data off this host."""
        return self._script("uninstall.sh", node, uninstaller=uninstaller)

    def _script_of_ours(self) -> str:
        """The installer of the repository; blank for a URL, which is downloaded on the host."""
        if "://" in self.shape.install.script:
            return ""
        path = self.place.workspace.root / self.shape.install.script
        if not path.is_file():
            raise ConfigError(
                f"there is no installer {self.shape.install.script}",
                hint="edit cluster.install.script: a URL or a path",
            )
        return path.read_text()

    @property
    def _endpoint(self) -> str:
        return f"https://{_host(self.shape.endpoint)}:{self.shape.api_port}"

    def _config(self, node: str, kind: str) -> Mapping[str, Any]:
        """k3s's own configuration file; JSON is YAML. The token is named by its file."""
        if kind == "agent":
            return {"node-name": node, "server": self._endpoint}
        return {
            "node-name": node,
            "tls-san": [self.shape.endpoint],
            "https-listen-port": self.shape.api_port,
            "write-kubeconfig-mode": "0600",
            # Cilium is the network, its policies and kube-proxy.
            "flannel-backend": "none",
            "disable-network-policy": True,
            "disable-kube-proxy": True,
            "disable": list(OURS),
        }

    def _script(self, name: str, node: str, **settings: str) -> Script:
        folder = f".blackstart-k3s/{self.place.cluster}-{node}"
        known = {"node": node, "folder": folder, **settings}
        head = "".join(f"{key}={_quoted(value)}\n" for key, value in known.items())
        return Script(folder, f"#!/bin/sh\n{head}{literal((HERE / name).read_text())}")


def _quoted(value: str) -> str:
    """For the shell; the name of an instance, which only terraform knows, stays readable for terraform."""
    if "${self." in value:
        marked = value.replace("${self.input.name}", "@node@")
        return literal(shlex.quote(marked)).replace("@node@", "${self.input.name}")
    return literal(shlex.quote(value))


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
