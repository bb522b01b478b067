"""How terraform reaches a host: its `connection`, with the host key that was verified before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.config import model
from modules.clusters.k3s.known_hosts import host_key
from modules.clusters.k3s.scripts import Script
from modules.place import Place

Provisioner = dict[str, dict[str, Any]]
Connection = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ssh:
    """Connections to the hosts of one cluster."""

    place: Place
    settings: model.Ssh

    def key_of(self, host: model.Host) -> str:
        """The host key(s). Raises ConfigError when none is known."""
        return host_key(self.place.workspace.root, self.settings, host)

    def to(self, host: model.Host) -> Connection:
        """To a host that the cluster file names."""
        return self._connection(host.address, str(host.port), self.key_of(host))

    def to_self(self) -> Connection:
        """To the host that a resource stands for, as its state knows it: a removed host is in no file any more."""
        return self._connection("${self.input.address}", "${self.input.port}", "${self.input.host_key}")

    def _connection(self, address: str, port: str, key: str) -> Connection:
        known = {"type": "ssh", "host": address, "port": port, "user": self.settings.user, "host_key": key}
        return {**known, "timeout": f"{self.settings.timeout}s", **self._identity()}

    def _identity(self) -> Connection:
        """terraform reads the private key when it connects; it stands in no file of ours, nor in the state."""
        key = self.settings.key
        if not key:
            return {"agent": True}
        if key.startswith("~"):
            return {"agent": False, "private_key": f"${{file(pathexpand({json.dumps(key)}))}}"}
        path = key if key.startswith("/") else self.place.relative(self.place.workspace.root / key)
        return {"agent": False, "private_key": f"${{file({json.dumps(path)})}}"}


def provisioners(connection: Connection, script: Script, files: Mapping[str, str] | None = None) -> list[Provisioner]:
    """Run a script on a host; `files` are laid into its folder before, which nobody else may enter."""
    steps: list[Provisioner] = []
    if files:
        steps.append({"remote-exec": {"inline": [script.prepare], "connection": connection}})
    for name, content in (files or {}).items():
        steps.append({"file": {"content": content, "destination": script.file(name), "connection": connection}})
    return [*steps, {"remote-exec": {"inline": [script.text], "connection": connection}}]


def destroying(steps: list[Provisioner]) -> list[Provisioner]:
    """The same when the resource is destroyed; what fails does not keep it alive."""
    return [
        {kind: {**body, "when": "destroy", "on_failure": "continue"} for kind, body in step.items()} for step in steps
    ]
