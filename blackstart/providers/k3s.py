"""A k3s cluster on Linux hosts, asked over SSH by the program `ssh`; made by `modules/clusters/k3s` (issue 7)."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.config import ClusterConfig, Workspace, load
from blackstart.config.model import Host, K3s
from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError, CommandFailed, ConfigError, ToolFailed
from blackstart.providers import Existence
from blackstart.providers.readiness import answers
from blackstart.show import render_error
from blackstart.tools.process import Command, hide, run

AS_ROOT = "if [ $(id -u) = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi"
"""A user who is not root needs sudo without a password. The script itself comes by stdin."""

STATE = """
data=${K3S_DATA_DIR:-/var/lib/rancher/k3s}
[ ! -e "$data/blackstart-restore" ] || { echo waiting; exit; }
[ -d "$data/PLACE" ] || { echo absent; exit; }
systemctl is-active --quiet UNIT && echo running || echo stopped
"""
"""What a server that has its database, or an agent that has its folder, is."""
START = "systemctl cat UNIT >/dev/null 2>&1 || exit 0; systemctl start UNIT"
"""A host on which nothing is installed has nothing to start: it joins later."""
LAY = """
data=${K3S_DATA_DIR:-/var/lib/rancher/k3s}; mkdir -p "$data" && umask 077 &&
cat >"$data/.blackstart-restore.new" && mv "$data/.blackstart-restore.new" "$data/blackstart-restore"
"""
"""`modules/clusters/k3s/install.sh` begins with the snapshot that lies there."""
KUBECONFIG = 'cat "${K3S_KUBECONFIG_OUTPUT:-/etc/rancher/k3s/k3s.yaml}"'
TOKEN = 'cat "$(dirname "${K3S_CONFIG_FILE:-/etc/rancher/k3s/config.yaml}")/token"'
TOLD = {
    "absent": "has no k3s",
    "running": "k3s runs",
    "stopped": "k3s is stopped",
    "waiting": "has no k3s yet, but a snapshot to restore",
}
GRACE = 30.0
"""Seconds for the command, after the seconds that the connection may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host printed, or why it did not answer."""

    host: Host
    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class K3sProvider:
    """Answers from the servers themselves: any machine with the repository and the SSH key can go on."""

    ws: Workspace
    config: ClusterConfig

    def exists(self) -> Existence:
        """It exists when a server has its database, runs when one of them runs.

        Raises ToolFailed when none says so and not all answer: then nothing proves that it is gone.
        """
        found, agents = self._states()
        proof = "; ".join(map(_said, [*found, *(one for one in agents if one.text != "running")]))
        states = {one.text for one in found if not one.problem}
        exists = bool(states & {"running", "stopped"})
        if not exists and any(one.problem for one in found):
            raise ToolFailed(proof, hint=f"reach the hosts first: {shlex.join(self._ssh(self._shape.servers[0])[:-1])}")
        blank = tuple(one.host.name for one in (*found, *agents) if one.text == "absent") if exists else ()
        return Existence(exists, "running" in states, proof, blank)

    def kubeconfig(self) -> str:
        """The first server's own that answers, with the cluster's stable endpoint. Raises ToolFailed."""
        return at_endpoint(self._first(KUBECONFIG, "kubeconfig"), self._shape)

    def token(self) -> str:
        """The server token, as the first server that answers keeps it (secret). Raises ToolFailed."""
        found = self._first(TOKEN, "token").strip()
        hide(found)
        return found

    def start(self) -> None:
        """Start k3s on all hosts; servers first, together, for etcd needs most of them. Raises ToolFailed."""
        for hosts, unit in ((self._shape.servers, "k3s"), (self._shape.agents, "k3s-agent")):
            failed = [one for one in self._ask(hosts, START.replace("UNIT", unit)) if one.problem]
            if failed:
                told = "; ".join(f"host {one.host.name} {one.problem}" for one in failed)
                raise ToolFailed(f"k3s did not start: {told}", hint="journalctl --unit k3s on that host")

    def lay(self, snapshot: Path, seconds: float) -> str:
        """Copy a snapshot of etcd to the server that founds the cluster, whose name is returned. Raises ToolFailed."""
        host = self._shape.servers[0]
        word = shlex.quote(LAY)
        argv = [
            *self._ssh(host)[:-1],
            f"if [ $(id -u) = 0 ]; then exec sh -c {word}; else exec sudo -n sh -c {word}; fi",
        ]
        try:
            run(Command(argv, source=snapshot, timeout=self._shape.ssh.timeout + seconds))
        except CommandFailed as error:
            told = (error.tail.splitlines() or ["no answer"])[-1]
            raise ToolFailed(f"host {host.name} did not take {snapshot}: {told}", hint="blackstart recover") from None
        return host.name

    def fetch(self) -> None:
        """Write the kubeconfig, and wait until the API answers at its endpoint from here."""
        write_private(self.ws.kubeconfig, self.kubeconfig())
        hint = f"does {self._shape.endpoint}:{self._shape.api_port} lead to the servers?"
        answers(self.ws.kubeconfig, self.config.timeouts.cluster, hint=hint)

    @property
    def _shape(self) -> K3s:
        assert isinstance(self.config.cluster, K3s)
        return self.config.cluster

    def _states(self) -> tuple[list[Answer], list[Answer]]:
        """Of servers and agents, all asked at once."""
        servers = [(host, state_of("server/db", "k3s")) for host in self._shape.servers]
        found = self._answers([*servers, *((host, state_of("agent", "k3s-agent")) for host in self._shape.agents)])
        return found[: len(servers)], found[len(servers) :]

    def _first(self, script: str, what: str) -> str:
        found = self._ask(self._shape.servers, script)
        told = next((one.text for one in found if one.text and not one.problem), "")
        if not told:
            problems = "; ".join(f"host {one.host.name} {one.problem or 'is silent'}" for one in found)
            raise ToolFailed(f"no server gave its {what}: {problems}", hint="blackstart recover")
        return told

    def _ask(self, hosts: Sequence[Host], script: str) -> list[Answer]:
        return self._answers([(host, script) for host in hosts])

    def _answers(self, questions: Sequence[tuple[Host, str]]) -> list[Answer]:
        """All hosts at once; each has `ssh.timeout` seconds to let us in."""
        with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
            return list(pool.map(self._ask_one, *zip(*questions, strict=True)) if questions else ())

    def _ask_one(self, host: Host, script: str) -> Answer:
        seconds = self._shape.ssh.timeout + GRACE
        try:
            done = run(Command(self._ssh(host), stdin=script, timeout=seconds))
        except CommandFailed as error:
            last = (error.tail.splitlines() or ["no answer"])[-1]
            return Answer(host, problem=f"({host.address}:{host.port}) does not answer: {last}")
        return Answer(host, done.stdout.strip())

    def _ssh(self, host: Host) -> list[str]:
        settings = self._shape.ssh
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._path(settings.known_hosts)),
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": str(settings.timeout),
        }
        identity = ["-i", str(self._path(settings.key)), "-o", "IdentitiesOnly=yes"] if settings.key else []
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", *words, *identity, "-p", str(host.port), f"{settings.user}@{host.address}", AS_ROOT]

    def _path(self, name: str) -> Path:
        return self.ws.root / Path(name).expanduser()


def state_of(place: str, unit: str) -> str:
    """The script that tells what a host is: `place` is its folder in k3s's data, `unit` its service."""
    return STATE.replace("PLACE", place).replace("UNIT", unit)


def _said(one: Answer) -> str:
    return f"host {one.host.name} {one.problem or TOLD.get(one.text, one.text)}"


def at_endpoint(text: str, shape: K3s) -> str:
    """A kubeconfig of k3s, which says 127.0.0.1, with the cluster's endpoint. Raises ToolFailed: it is none."""
    try:
        whole = YAML(typ="safe").load(text)
        host = f"[{shape.endpoint}]" if ":" in shape.endpoint else shape.endpoint
        for entry in whole["clusters"]:
            entry["cluster"]["server"] = f"https://{host}:{shape.api_port}"
    except (YAMLError, KeyError, TypeError):
        raise ToolFailed("what the server gave is no kubeconfig", hint="look at /etc/rancher/k3s/k3s.yaml") from None
    out = io.StringIO()
    YAML(typ="safe").dump(whole, out)
    return out.getvalue()


def main() -> int:
    """`python -m blackstart.providers.k3s --cluster NAME`, in the repository's root: for Terraform's provisioner."""
    parser = argparse.ArgumentParser(prog="python -m blackstart.providers.k3s")
    parser.add_argument("--cluster", required=True)
    ws = Workspace(Path.cwd(), parser.parse_args().cluster)
    try:
        config = load(ws.root, ws.cluster)
        if config.provider != "k3s":
            raise ConfigError(f"{ws.cluster} is not a k3s cluster", hint="blackstart schema")
        K3sProvider(ws, config).fetch()
    except BlackstartError as error:
        print(render_error(error), file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
