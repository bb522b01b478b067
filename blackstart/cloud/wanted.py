"""What a cluster file asks of HCP Terraform, as values: workspaces, their variables, what triggers them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import Cloud
from blackstart.config.workspace import STACKS
from blackstart.errors import ConfigError

ACCESS = ("KUBE_HOST", "KUBE_TOKEN", "KUBE_CLUSTER_CA_CERT_DATA")
OURS = "blackstart"


@dataclass(frozen=True, slots=True)
class Variable:
    """A workspace's variable. A sensitive value cannot be read back: `description` tells what is public about it."""

    key: str
    value: str = field(repr=False)
    category: Literal["terraform", "env"]
    sensitive: bool
    description: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One workspace: its attributes in the API's words; `after` names the workspace whose runs trigger its own.

    `needs` are the environment variables without which its runs do not reach the cluster.
    """

    name: str
    project: str
    agent_pool: str
    attributes: Mapping[str, Any]
    tags: tuple[str, ...]
    variables: tuple[Variable, ...] = ()
    needs: tuple[str, ...] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What this machine has to give for remote runs: the Age key, Git credentials (JSON), access to the cluster."""

    key: str = field(default="", repr=False)
    recipients: tuple[str, ...] = ()
    git_credentials: str = field(default="", repr=False)
    access: Mapping[str, str] = field(default_factory=dict, repr=False)


def wanted(ws: Workspace, config: ClusterConfig, given: Given, terraform: str) -> list[Wanted]:
    """The workspaces of a cluster, in the order of its stacks; `terraform` is the version that runs there.

    Variables and triggers exist for remote runs alone: in local execution HCP Terraform uses neither.
    """
    cloud = settings(ws, config)
    remote = config.state.runs_remotely
    attributes = {
        "execution-mode": cloud.execution,
        "terraform-version": terraform,
        "auto-apply": False,
        "auto-apply-run-trigger": remote,
        "global-remote-state": False,
    }
    found: list[Wanted] = []
    parts = STACKS if config.state.layout == "split" else ("single",)
    for stack, part in zip(ws.stack_ids(config.state.layout), parts, strict=True):
        asks = remote and part != "cluster"
        found.append(
            Wanted(
                stack,
                cloud.project,
                cloud.agent_pool,
                attributes,
                tags=(OURS, ws.cluster),
                variables=_variables(part, config, given) if asks else (),
                needs=ACCESS if asks else (),
                after=found[-1].name if remote and found else "",
            )
        )
    return found


def settings(ws: Workspace, config: ClusterConfig) -> Cloud:
    """`state.cloud` of a cluster whose states are there. Raises ConfigError for another backend."""
    if config.state.backend != "cloud" or config.state.cloud is None:
        raise ConfigError(
            f"clusters/{ws.cluster}.yaml keeps its states elsewhere (state.backend: {config.state.backend})",
            hint="state: {backend: cloud, cloud: {organization: …}}; see docs/hcp.md",
        )
    return config.state.cloud


def _variables(part: str, config: ClusterConfig, given: Given) -> tuple[Variable, ...]:
    """`part` is the stack's; one that holds the whole cluster needs all."""
    host, ca = (given.access.get(name, "") for name in ("KUBE_HOST", "KUBE_CLUSTER_CA_CERT_DATA"))
    opens = f"{OURS}: how {host} is reached, whose CA is {hashlib.sha256(ca.encode()).hexdigest()[:12]}"
    found = [
        Variable(name, given.access[name], "env", name == "KUBE_TOKEN", opens)
        for name in ACCESS
        if given.access.get(name)
    ]
    if part != "flux":
        words = f"{OURS}: the key of {' '.join(given.recipients)}"
        found.append(Variable("age_key", given.key, "terraform", True, words))
    if part != "sops-age" and given.git_credentials:
        words = f"{OURS}: {config.git.auth.kind} for {config.git.url}"
        found.append(Variable("git_credentials", given.git_credentials, "terraform", True, words))
    return tuple(found)
