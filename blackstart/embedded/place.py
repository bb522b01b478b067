"""Where an embedded cluster keeps what it needs: everything lies in `.blackstart/<cluster>/embedded`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from blackstart.config import Workspace
from blackstart.config.workspace import make_private, write_private
from blackstart.embedded.ports import Ports, choose

MARK = "BLACKSTART_EMBEDDED"


@dataclass(frozen=True, slots=True)
class Place:
    """The folders and files of one embedded cluster."""

    ws: Workspace

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.ws.embedded

    @property
    def kwok(self) -> Path:
        """kwokctl's own work folder (`KWOK_WORKDIR`); its `kwok.yaml` is read by default."""
        return self.folder / "kwok"

    @property
    def cluster(self) -> Path:
        """What kwokctl keeps of this cluster: etcd's data, the CA, logs."""
        return self.kwok / "clusters" / self.ws.cluster

    @property
    def record(self) -> Path:
        """kwokctl's record of the cluster: it exists when the cluster does."""
        return self.cluster / "kwok.yaml"

    @property
    def kubeconfig(self) -> Path:
        """The copy that the cluster's own processes use; the operator's may come and go."""
        return self.folder / "kubeconfig"

    @property
    def logs(self) -> Path:
        """Logs of what the supervisor runs."""
        return self.folder / "logs"

    @property
    def storage(self) -> Path:
        """Artifacts of source-controller."""
        return self.folder / "storage"

    @property
    def scratch(self) -> Path:
        """`TMPDIR` of the controllers, so that a killed one leaves nothing in /tmp."""
        return self.folder / "tmp"

    @property
    def supervisor(self) -> Path:
        """The supervisor's configuration."""
        return self.folder / "supervisord.conf"

    @property
    def simulated(self) -> Path:
        """What was simulated, for runs and reports (`simulated.py`)."""
        return self.folder / "simulated.json"

    def controller(self, name: str) -> Path:
        """How a controller is to be run now; absent when it is not to run."""
        return self.folder / "controllers" / f"{name}.json"

    def make(self) -> None:
        """Make the folders, private from the first moment on."""
        for folder in (self.kwok, self.logs, self.storage, self.scratch, self.folder / "controllers"):
            make_private(folder)

    def ports(self) -> Ports:
        """The cluster's ports: chosen once, then remembered, so that a restart changes no address."""
        path = self.folder / "ports.json"
        if not path.is_file():
            write_private(path, json.dumps(choose(str(self.folder))))
        known: Ports = json.loads(path.read_text())
        return known

    def environment(self) -> dict[str, str]:
        """What every process of this cluster gets: by `MARK` it is known as ours, whatever became of its parent.

        GOGC=300 trades memory for a seventh of the CPU time (measured on a whole bootstrap).
        """
        return {MARK: str(self.folder), "KWOK_WORKDIR": str(self.kwok), "GOGC": "300"}
