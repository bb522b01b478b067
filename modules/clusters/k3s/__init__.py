"""A k3s cluster on bare Linux hosts, over SSH, by terraform's own provisioners (issue 7).

Who joins, who waits and who is upgraded are separate resources: a failed wait or upgrade makes no node join again, and
one node's change touches that node alone. The triggers hold what is public; the token is in no state.
"""

from __future__ import annotations

from collections.abc import Sequence

from blackstart.config.model import Host, K3s
from modules.cdktf import DataResource, TerraformStack, TerraformVariable
from modules.clusters.cluster import Cluster
from modules.clusters.k3s import scripts
from modules.clusters.k3s.ssh import Provisioner, Ssh, destroying, provisioners
from modules.place import Place
from modules.program import program

TOKEN = "k3s_token"


def k3s(stack: TerraformStack, place: Place) -> Cluster:
    """First server, further servers one by one, agents in parallel, waiting, upgrades one by one."""
    shape = place.config.cluster
    assert isinstance(shape, K3s)
    token = TerraformVariable(stack, TOKEN, type="string", sensitive=True, nullable=False)
    token.add_override("ephemeral", True)
    nodes = _Nodes(stack, place, shape)
    first, *others = shape.servers
    newest = nodes.upgrade(first, after=[nodes.server(first, after=None)])
    created = DataResource(stack, "cluster", input={"name": place.cluster}, depends_on=[newest])
    for server in others:
        newest = nodes.upgrade(server, after=[nodes.server(server, after=newest)])
    agents = [nodes.agents(after=created)] if shape.agents else []
    ready = nodes.ready(after=[newest, *agents])
    for agent in shape.agents:
        newest = nodes.upgrade(agent, after=[newest, ready])
    return Cluster(created, ready)


class _Nodes:
    """Makes the resources of the nodes."""

    def __init__(self, stack: TerraformStack, place: Place, shape: K3s) -> None:
        self.stack, self.place, self.shape = stack, place, shape
        self.ssh = Ssh(place, shape.ssh)
        self.scripts = scripts.Scripts(place, shape)

    def server(self, host: Host, after: DataResource | None) -> DataResource:
        """One server that joins; the first one founds the cluster when no other server runs it."""
        return _resource(
            DataResource(
                self.stack,
                f"server-{host.name}",
                input=self._known(host),
                triggers_replace=_address(host),
                depends_on=[after] if after else [],
            ),
            self._joins(host.name, "server") + self._leaves(host, host.name, "k3s-uninstall.sh"),
        )

    def agents(self, after: DataResource) -> DataResource:
        """All agents: instances of one resource, since only those run their destroy provisioner when one is removed."""
        made = DataResource(
            self.stack,
            "agent",
            triggers_replace={key: f"${{each.value.{key}}}" for key in ("name", "address", "port")},
            depends_on=[after],
        )
        made.add_override("input", "${each.value}")
        made.add_override("for_each", {agent.name: self._known(agent) for agent in self.shape.agents})
        name = "${self.input.name}"
        return _resource(made, self._joins(name, "agent") + self._leaves(None, name, "k3s-agent-uninstall.sh"))

    def ready(self, after: Sequence[DataResource]) -> DataResource:
        """The API answers and every node has registered; Ready they turn with the CNI, which is seeded next."""
        first, names = self.shape.servers[0], [host.name for host in (*self.shape.servers, *self.shape.agents)]
        made = DataResource(self.stack, "ready", triggers_replace={"nodes": " ".join(names)}, depends_on=list(after))
        waiting = provisioners(self.ssh.to(first), self.scripts.wait(names, self.place.config.timeouts.cluster))
        fetch = program(self.place, f"blackstart.providers.k3s --cluster {self.place.cluster}")
        local = {"command": fetch.command, "working_dir": fetch.working_dir, "environment": fetch.environment}
        waiting.append({"local-exec": local})
        return _resource(made, waiting)

    def upgrade(self, host: Host, after: Sequence[DataResource]) -> DataResource:
        """The wanted version: a node that has another one is drained, installed anew, taken back into use."""
        first, kind = self.ssh.to(self.shape.servers[0]), "server" if host in self.shape.servers else "agent"
        return _resource(
            DataResource(
                self.stack,
                f"version-{host.name}",
                triggers_replace={"version": self.shape.install.version},
                depends_on=list(after),
            ),
            [
                *provisioners(first, self.scripts.drain(host.name)),
                *provisioners(self.ssh.to(host), self.scripts.install(host.name, kind, "upgrade")),
                *provisioners(first, self.scripts.uncordon(host.name)),
            ],
        )

    def _joins(self, name: str, kind: str) -> list[Provisioner]:
        token = {"token": f"${{var.{TOKEN}}}"}
        return provisioners(self.ssh.to_self(), self.scripts.install(name, kind, "join"), token)

    def _leaves(self, host: Host | None, name: str, uninstaller: str) -> list[Provisioner]:
        """Out of the cluster, told to two servers since one may be lost itself, then off the host; a host that is dead
        stops neither."""
        others = [one for one in self.shape.servers if one is not host][:2]
        leave = [step for one in others for step in provisioners(self.ssh.to(one), self.scripts.leave(name))]
        off = provisioners(self.ssh.to_self(), self.scripts.uninstall(name, uninstaller))
        return destroying([*leave, *off])

    def _known(self, host: Host) -> dict[str, str]:
        return {"name": host.name, **_address(host), "host_key": self.ssh.key_of(host)}


def _resource(made: DataResource, provisioning: list[Provisioner]) -> DataResource:
    """The bindings know neither `on_failure` nor `connection` of a provisioner in full: written as JSON."""
    made.add_override("provisioner", provisioning)
    return made


def _address(host: Host) -> dict[str, str]:
    return {"name": host.name, "address": host.address, "port": str(host.port)}
