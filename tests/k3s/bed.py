"""A test bed: an sshd on loopback for each "host", with host keys of its own, and a stand-in where k3s would be."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from blackstart.config import Workspace
from blackstart.drill.bed import free_port
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.steps import Step
from blackstart.steps.run import Run
from tests.desk import PROJECT, Desk
from tests.k3s.host import SSHD, Entry, Host
from tests.k3s.up import take

VERSION = "v1.34.1+k3s1"
SYSTEMCTL = """\
case $1 in
is-active) [ "$3" = "$(cat "$BED_HOST/unit" 2>/dev/null)" ] || exit 3 ;;
cat) [ -e "$BED_HOST/version" ] || exit 1 ;;
start)
    [ -e "$BED_HOST/version" ] || { echo "Unit $2.service not found." >&2; exit 5; }
    echo "$2" >"$BED_HOST/unit" ;;
esac"""
"""A unit is active when its name stands in the file `unit`."""


@dataclass
class Bed:
    """Hosts, and the desk of an operator whose cluster file names them."""

    desk: Desk
    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    version: str = VERSION

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def place(self) -> Place:
        """The control plane that plays the servers'."""
        return Place(Workspace(self.control, "bed"))

    def prepare(self) -> None:
        """The operator's key pair and the port of the API."""
        self.place.make()
        self._keygen(self.folder / "id")
        (self.folder / "known_hosts").touch()

    def add(self, name: str, *, known: bool = True) -> Host:
        """One more host, running; `known`: its keys are in known_hosts."""
        host = Host(self.folder / name, free_port())
        for part in ("etc", "data", "bin"):
            (host.folder / part).mkdir(parents=True)
        for kind in ("ed25519", "ecdsa"):
            self._keygen(host.folder / f"host_{kind}", kind)
        self._tool(host, "systemctl", SYSTEMCTL)
        self._tool(host, "journalctl", 'cat "$BED_HOST/journal" 2>/dev/null || echo "-- No entries --"')
        self._tool(host, "sudo", 'shift\nexec "$@"')  # who is not root here plays root
        (host.folder / "sshd_config").write_text(self._configuration(host))
        host.start()
        self.hosts[name] = host
        if known:
            self.know(host)
        return host

    def more(self, count: int) -> list[Host]:
        """Hosts that are in no cluster file yet."""
        return [self.add(f"x{len(self.hosts)}") for _ in range(count)]

    def know(self, host: Host) -> None:
        """The operator has verified the host's keys."""
        with (self.folder / "known_hosts").open("a") as file:
            file.writelines(f"[127.0.0.1]:{host.port} {key}\n" for key in host.public_keys)

    def write(self, servers: Sequence[Host], agents: Sequence[Host | Entry] = (), **other: object) -> None:
        """The cluster file; `other` are settings of its section `cluster`."""
        path = self.desk.root / "clusters" / "bed.yaml"
        whole = YAML(typ="safe").load((path if path.exists() else path.with_name("local.yaml")).read_text())
        whole |= {
            "cluster": {
                "provider": "k3s",
                "endpoint": "127.0.0.1",
                "api_port": self.place.ports()["kube-apiserver"],
                "servers": [host.entry for host in servers],
                "agents": [host.entry if isinstance(host, Host) else host for host in agents],
                "ssh": self.ssh(),
                "install": {"version": self.version, "script": "tests/k3s/install-k3s.sh"},
                **other,
            },
            "git": {"url": "https://git.invalid/it.git", "path": "gitops/flux/clusters/local"},
            "providers": "registry",
            "timeouts": {"cluster": 60},
        }
        with path.open("w") as file:
            YAML(typ="safe").dump(whole, file)

    def ssh(self, **other: object) -> dict[str, object]:
        """The section `ssh`."""
        known = {"user": getpass.getuser(), "key": str(self.folder / "id"), "timeout": 8}
        return {**known, "known_hosts": str(self.folder / "known_hosts"), **other}

    def run(self, *steps: Step) -> Run:
        """Steps of a recipe, in this process."""
        return take(self.desk.ws, *steps)

    def events(self) -> list[str]:
        """What the stand-ins did since the last time that somebody asked."""
        path = self.control / "events"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def lose(self, *names: str) -> None:
        """These hosts are new machines at the same addresses; with the last server the cluster is gone."""
        for name in names:
            self.hosts[name].wipe()
        if not any(host.runs == "k3s" for host in self.hosts.values()):
            processes.end(self.place, keep_data=False)
            shutil.rmtree(self.place.cluster)
            for name in ("api.json", "kubeconfig", "token"):
                (self.control / name).unlink()

    def on(self, name: str, command: str) -> str:
        """What a command prints on a host, over SSH."""
        options = ("-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}", "-i", str(self.folder / "id"))
        argv = ["ssh", *options, "-p", str(self.hosts[name].port), f"{getpass.getuser()}@127.0.0.1", command]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout

    def end(self) -> None:
        """Nothing is left running."""
        for host in self.hosts.values():
            host.stop()
        processes.end(self.place, keep_data=False)

    def _configuration(self, host: Host) -> str:
        """Variables are k3s's own where it has them, so that all "hosts" can share one file system."""
        variables = {
            "K3S_CONFIG_FILE": host.folder / "etc" / "config.yaml",
            "K3S_DATA_DIR": host.folder / "data",
            "K3S_KUBECONFIG_OUTPUT": host.folder / "etc" / "k3s.yaml",
            "INSTALL_K3S_BIN_DIR": host.folder / "bin",
            "PATH": f"{host.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": PROJECT,
            "BED_HOST": host.folder,
            "BED_CONTROL": self.control,
            "BED_PYTHON": sys.executable,
            "BED_STAND_INS": PROJECT / "tests" / "k3s",
            **{name: value for name, value in os.environ.items() if name in ("BLACKSTART_CACHE", "XDG_CACHE_HOME")},
        }
        lines = [
            f"Port {host.port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {host.folder / f'host_{kind}'}" for kind in ("ed25519", "ecdsa")),
            f"AuthorizedKeysFile {self.folder / 'id.pub'}",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "PidFile none",
            "MaxStartups 100",
            "SetEnv " + " ".join(f"{name}={shlex.quote(str(value))}" for name, value in variables.items()),
        ]
        return "\n".join(lines) + "\n"

    def _tool(self, host: Host, name: str, text: str) -> None:
        path = host.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _keygen(self, path: Path, kind: str = "ed25519") -> None:
        argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "bed", "-f", str(path)]
        subprocess.run(argv, check=True, capture_output=True, timeout=30)


def reason_to_skip() -> str:
    """Why no bed can be made here, blank when one can."""
    if not Path(SSHD).is_file():
        return f"no {SSHD}; apt-get install openssh-server"
    if os.getuid() == 0:
        with suppress(FileExistsError):
            Path("/run/sshd").mkdir(mode=0o755)  # sshd refuses to start without it
    return ""
