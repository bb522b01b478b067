"""A test bed: an sshd on loopback for each "host", with host keys of its own, and a stand-in where k3s would be."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from blackstart.config import Workspace, load
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.progress import Progress, Recorder
from blackstart.steps import Step, execute
from blackstart.steps.run import Run
from tests.desk import PROJECT, Desk, free_port

SSHD = "/usr/sbin/sshd"
VERSION = "v1.34.1+k3s1"
SYSTEMCTL = """\
case $1 in
is-active) [ "$3" = "$(cat "$BED_HOST/unit" 2>/dev/null)" ] || exit 3 ;;
start)
    [ -e "$BED_HOST/version" ] || { echo "Unit $2.service not found." >&2; exit 5; }
    echo "$2" >"$BED_HOST/unit" ;;
esac"""
"""A unit is active when its name stands in the file `unit`."""

Entry = dict[str, object]


@dataclass
class Host:
    """One "host": its folder, its port, its sshd."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def entry(self) -> Entry:
        """As it stands in the cluster file."""
        return {"name": self.name, "address": "127.0.0.1", "port": self.port}

    @property
    def public_keys(self) -> list[str]:
        return [path.read_text().strip() for path in sorted(self.folder.glob("host_*.pub"))]

    def start(self) -> None:
        """Its sshd, until the port answers."""
        log = (self.folder / "sshd.log").open("ab")
        argv = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "sshd.log").read_text()
            if "Server listening" in (self.folder / "sshd.log").read_text():
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.name}: sshd does not listen\n{(self.folder / 'sshd.log').read_text()}")

    def stop(self) -> None:
        """The host is gone: nothing listens any more. What it keeps stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            (self.folder / "sshd.log").unlink()


@dataclass
class Bed:
    """Hosts, and the desk of an operator whose cluster file names them."""

    desk: Desk
    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)

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
                "install": {"version": VERSION, "script": "tests/k3s/install-k3s.sh"},
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
        known = {"user": getpass.getuser(), "key": str(self.folder / "id"), "timeout": 5}
        return {**known, "known_hosts": str(self.folder / "known_hosts"), **other}

    def run(self, *steps: Step) -> Run:
        """Steps of `up`, in this process, with the environment that the command line would have."""
        ws = self.desk.ws
        progress = Progress(Recorder())
        run = Run(ws, load(ws.root, ws.cluster), progress, ws.runs / "test", ref="main")
        execute(steps, run)
        return run

    def events(self) -> list[str]:
        """What the stand-ins did since the last time that somebody asked."""
        path = self.control / "events"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

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
