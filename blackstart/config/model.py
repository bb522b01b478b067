"""The shape of `clusters/<name>.yaml` (design, section 3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blackstart.config.backends import require_a_state_for_each, require_no_credentials
from blackstart.config.cache import FLUX_VERSION

NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
RECIPIENT = r"^age1[0-9a-z]{20,}$"


class Section(BaseModel):
    """A part of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Embedded(Section):
    """A control plane of host processes with simulated nodes, on loopback."""

    provider: Literal["embedded"]
    nodes: int = Field(default=1, ge=1, le=50, description="simulated nodes")


class Kind(Section):
    """A cluster in containers, by `kind`."""

    provider: Literal["kind"]
    image: str = Field(default="kindest/node:v1.34.0", description="the pinned node image")
    disable_default_cni: bool = False
    ports: dict[int, int] = Field(default_factory=dict, description="host port: node port")


class Existing(Section):
    """Any conformant cluster that somebody else made; never destroyed."""

    provider: Literal["existing"]
    kubeconfig: str = Field(default="", description="path; empty: KUBE_HOST, KUBE_TOKEN, KUBE_CLUSTER_CA_CERT_DATA")
    context: str = ""


class Host(Section):
    """A Linux host reached over SSH."""

    name: str = Field(pattern=NAME)
    address: str
    port: int = Field(default=22, ge=1, le=65535)


class Ssh(Section):
    """How hosts are reached; an empty key means the SSH agent."""

    user: str = "root"
    key: str = ""
    known_hosts: str = Field(default="~/.ssh/known_hosts", description="hosts that are not in it are refused")
    timeout: int = Field(default=60, ge=1, description="seconds")


class K3sInstall(Section):
    """Which k3s, and how it is installed."""

    version: str = Field(default="v1.34.1+k3s1", pattern=r"^v\d+\.\d+\.\d+\+k3s\d+$")
    script: str = Field(default="https://get.k3s.io", description="the installer: a URL or a path in the repository")


class K3s(Section):
    """Bare Linux hosts, by k3s over SSH."""

    provider: Literal["k3s"]
    endpoint: str = Field(description="stable name or VIP of the API, without port")
    api_port: int = Field(default=6443, ge=1, le=65535)
    servers: list[Host] = Field(min_length=1)
    agents: list[Host] = Field(default_factory=list)
    ssh: Ssh = Ssh()
    install: K3sInstall = K3sInstall()

    @model_validator(mode="after")
    def _odd_servers_and_unique_names(self) -> K3s:
        if len(self.servers) not in (1, 3, 5):
            raise ValueError("servers: etcd needs one, three or five of them")
        known = [host.name for host in (*self.servers, *self.agents)]
        if len(set(known)) != len(known):
            raise ValueError("servers, agents: each host needs a name of its own")
        return self


ClusterProvider = Annotated[Embedded | Kind | K3s | Existing, Field(discriminator="provider")]


class Source(Section):
    """Where a secret comes from: exactly one of the three."""

    env: str = ""
    file: str = ""
    cmd: str = ""

    @model_validator(mode="after")
    def _exactly_one(self) -> Source:
        if sum(map(bool, (self.env, self.file, self.cmd))) != 1:
            raise ValueError("give exactly one of env, file, cmd")
        return self


class GitAuth(Section):
    """Credentials for a private remote, injected like the Age key."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["none", "ssh", "token", "github_app"] = "none"
    source: Source | None = Field(default=None, alias="from")
    username: str = "git"
    known_hosts: str = Field(default="", description="file with the remote's host keys (ssh)")
    ca: str = Field(default="", description="file with the remote's CA (https)")
    app_id: str = ""
    installation_id: str = ""

    @model_validator(mode="after")
    def _whole(self) -> GitAuth:
        if self.kind != "none" and self.source is None:
            raise ValueError(f"auth of kind {self.kind} needs from: {{env|file|cmd: …}}")
        if self.kind == "ssh" and not self.known_hosts:
            raise ValueError("auth of kind ssh needs known_hosts: an unknown host is never accepted")
        return self


class Git(Section):
    """What Flux deploys: `worktree` is this repository's own chosen commit, served on loopback."""

    url: str = "worktree"
    branch: str = "main"
    path: str = Field(description="folder with the cluster's Kustomizations")
    auth: GitAuth = GitAuth()
    fallback_url: str = Field(default="", description="used by recover when the cluster itself serves `url`")
    fallback_auth: GitAuth = Field(default=GitAuth(), description="credentials for `fallback_url`")

    @property
    def is_worktree(self) -> bool:
        """Whether the commit is exported and served by blackstart."""
        return self.url == "worktree"

    @model_validator(mode="after")
    def _known_scheme(self) -> Git:
        if not self.is_worktree and not self.url.startswith(("http://", "https://", "ssh://")):
            raise ValueError("url: Flux takes worktree, http://, https:// and ssh:// only")
        return self


class Sops(Section):
    """Who must be able to decrypt; the cluster's own key first."""

    recipients: Annotated[list[Annotated[str, Field(pattern=RECIPIENT)]], Field(min_length=1)]


class Flux(Section):
    """The Flux that is installed."""

    version: str = Field(default=FLUX_VERSION, pattern=r"^\d+\.\d+\.\d+$")


class Mirror(Section):
    """Every chart from one place."""

    mirror: str = Field(pattern=r"^(oci|https?)://")


class Cloud(Section):
    """HCP Terraform, Terraform Enterprise or a server that speaks its API."""

    hostname: str = "app.terraform.io"
    organization: str
    project: str = "blackstart"
    execution: Literal["local", "remote", "agent"] = "local"
    agent_pool: str = Field(default="", description="name of the pool (execution: agent)")

    @model_validator(mode="after")
    def _agents_have_a_pool(self) -> Cloud:
        if (self.execution == "agent") != bool(self.agent_pool):
            raise ValueError("execution: agent and agent_pool belong together")
        return self


class State(Section):
    """Where Terraform keeps its states."""

    backend: Literal["local", "s3", "http", "cloud"] = "local"
    layout: Literal["split", "single"] = "split"
    cloud: Cloud | None = None
    s3: dict[str, Any] = Field(default_factory=dict, description="terraform's own settings")
    http: dict[str, Any] = Field(default_factory=dict, description="terraform's own settings")

    @property
    def runs_remotely(self) -> bool:
        """Whether Terraform runs on another machine: nothing of this one is there (issue 8)."""
        return self.backend == "cloud" and self.cloud is not None and self.cloud.execution != "local"

    @model_validator(mode="after")
    def _settings_of_the_backend(self) -> State:
        if self.backend != "local" and not getattr(self, self.backend):
            raise ValueError(f"backend {self.backend} needs a section {self.backend}: {{…}} beside it")
        for backend, settings in (("s3", self.s3), ("http", self.http)):
            require_no_credentials(backend, settings)
            require_a_state_for_each(backend, settings)
        return self


class Wait(Section):
    """What a hook waits for after it ran."""

    kind: str
    name: str
    namespace: str = "default"
    condition: str = "Ready"


class Hook(Section):
    """Restores data between two layers: layers after it are born suspended."""

    name: str = Field(pattern=NAME)
    after: str = Field(description="the layer that must be Ready first")
    run: list[str] = Field(default_factory=list, description="a program with its arguments")
    apply: str = Field(default="", description="a manifest or a folder of them, in the repository")
    wait: Wait | None = None
    timeout: int = Field(default=600, ge=1, description="seconds")

    @model_validator(mode="after")
    def _one_action(self) -> Hook:
        if bool(self.run) == bool(self.apply):
            raise ValueError("give exactly one of run, apply")
        return self


class Recover(Section):
    """What recovery does besides `up`."""

    hooks: list[Hook] = Field(default_factory=list)


class Timeouts(Section):
    """Seconds after which waiting is given up."""

    api: int = Field(default=10, ge=1)
    cluster: int = Field(default=300, ge=1)
    flux: int = Field(default=300, ge=1)
    layers: int = Field(default=600, ge=1)
    remote_run: int = Field(default=3600, ge=1, description="one run on HCP Terraform, confirmation included")


class ClusterConfig(Section):
    """One cluster."""

    cluster: ClusterProvider
    git: Git
    providers: Literal["builtin", "registry"] = "registry"
    sops: Sops
    flux: Flux = Flux()
    charts: Literal["bundled", "upstream"] | Mirror = "upstream"
    settings: dict[str, str] = Field(default_factory=dict, description="becomes ConfigMap cluster-settings")
    state: State = State()
    recover: Recover = Recover()
    timeouts: Timeouts = Timeouts()

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.cluster.provider

    @property
    def bare(self) -> bool:
        """Whether the cluster is made without a CNI, which is then seeded (issue 7)."""
        return isinstance(self.cluster, K3s) or (isinstance(self.cluster, Kind) and self.cluster.disable_default_cni)

    @property
    def cluster_settings(self) -> dict[str, str]:
        """Data of ConfigMap cluster-settings: `settings`, and where charts come from (docs/charts.md)."""
        if not isinstance(self.charts, Mirror):
            return {**self.settings, "charts": self.charts}
        kind = "oci" if self.charts.mirror.startswith("oci://") else "default"
        return {**self.settings, "charts": "mirror", "charts_mirror": self.charts.mirror, "charts_type": kind}

    @model_validator(mode="after")
    def _a_cni_between_the_stacks(self) -> ClusterConfig:
        if self.bare and self.state.layout == "single":
            raise ValueError("state.layout: single leaves no moment for the CNI, which this cluster is made without")
        return self

    @model_validator(mode="after")
    def _worktree_only_on_this_machine(self) -> ClusterConfig:
        if self.git.is_worktree and self.provider not in ("embedded", "kind"):
            raise ValueError("git.url: worktree is served on loopback, where only embedded and kind can reach it")
        return self

    @model_validator(mode="after")
    def _remote_runs_need_nothing_of_this_machine(self) -> ClusterConfig:
        if self.state.runs_remotely and (self.provider != "existing" or self.providers != "registry"):
            raise ValueError(
                "state.cloud.execution: remote and agent need cluster.provider existing and providers registry:"
                " nothing of this machine is where they run"
            )
        return self
