"""A k3s cluster on Linux hosts, asked over SSH by the program `ssh`; made by `modules/clusters/k3s` (issue 7)."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Callable, Sequence
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
[ -d "${K3S_DATA_DIR:-/var/lib/rancher/k3s}/server/db" ] || { echo absent; exit; }
systemctl is-active --quiet k3s && echo running || echo stopped
"""
KUBECONFIG = 'cat "${K3S_KUBECONFIG_OUTPUT:-/etc/rancher/k3s/k3s.yaml}"'
TOKEN = 'cat "$(dirname "${K3S_CONFIG_FILE:-/etc/rancher/k3s/config.yaml}")/token"'
TOLD = {"absent": "has no k3s server", "running": "k3s runs", "stopped": "k3s is stopped"}
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
        found = self._ask(self._shape.servers, STATE)
        proof = "; ".join(f"host {one.host.name} {one.problem or TOLD.get(one.text, one.text)}" for one in found)
        states = {one.text for one in found if not one.problem}
        if not states & {"running", "stopped"} and any(one.problem for one in found):
            raise ToolFailed(proof, hint=f"reach the hosts first: {shlex.join(self._ssh(self._shape.servers[0])[:-1])}")
        return Existence(bool(states & {"running", "stopped"}), "running" in states, proof)

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
            failed = [one for one in self._ask(hosts, f"systemctl start {unit}") if one.problem]
            if failed:
                told = "; ".join(f"host {one.host.name} {one.problem}" for one in failed)
                raise ToolFailed(f"k3s did not start: {told}", hint="journalctl --unit k3s on that host")

    def fetch(self) -> None:
        """Write the kubeconfig, and wait until the API answers at its endpoint from here."""
        write_private(self.ws.kubeconfig, self.kubeconfig())
        hint = f"does {self._shape.endpoint}:{self._shape.api_port} lead to the servers?"
        answers(self.ws.kubeconfig, self.config.timeouts.cluster, hint=hint)

    @property
    def _shape(self) -> K3s:
        assert isinstance(self.config.cluster, K3s)
        return self.config.cluster

    def _first(self, script: str, what: str) -> str:
        found = self._ask(self._shape.servers, script)
        told = next((one.text for one in found if one.text and not one.problem), "")
        if not told:
            problems = "; ".join(f"host {one.host.name} {one.problem or 'is silent'}" for one in found)
            raise ToolFailed(f"no server gave its {what}: {problems}", hint="blackstart recover")
        return told

    def _ask(self, hosts: Sequence[Host], script: str) -> list[Answer]:
        """All hosts at once; each has `ssh.timeout` seconds to let us in."""
        ask: Callable[[Host], Answer] = lambda host: self._ask_one(host, script)  # noqa: E731
        with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
            return list(pool.map(ask, hosts))

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
