"""What the steps of one run share."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from blackstart import toolchain
from blackstart.config import ClusterConfig, Workspace
from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError, ConfigError, KeyProblem
from blackstart.layers import Layer
from blackstart.progress import Progress
from blackstart.providers import Provider, provider
from blackstart.synth import Manifest, Stack
from blackstart.tools.age import FoundKey
from blackstart.tools.git import Commit, Git
from blackstart.tools.kubernetes import ApiDenied, Cluster
from blackstart.tools.terraform import Applied, Terraform


@dataclass(slots=True)
class Run:
    """One run over one cluster: what it was given, and what its steps have found so far.

    `tree` is the exported commit as Flux sees it; `suspended` the layers that a hook still holds back.
    """

    ws: Workspace
    config: ClusterConfig
    progress: Progress
    folder: Path
    ref: str = "HEAD"
    found_key: FoundKey | None = None
    found_commit: Commit | None = None
    tree: Path | None = None
    layers: tuple[Layer, ...] = ()
    found_manifest: Manifest | None = None
    suspended: tuple[str, ...] = ()
    applied: dict[str, Applied] = field(default_factory=dict)
    secrets: int = 0
    released: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def git(self) -> Git:
        """The operator's repository."""
        return Git(self.ws.root)

    @property
    def provider(self) -> Provider:
        """Who makes the cluster."""
        return provider(self.ws, self.config)

    @property
    def key(self) -> FoundKey:
        """The Age key; a step has found it before."""
        if self.found_key is None:
            raise KeyProblem("the Age key has not been looked for yet", hint="blackstart keys show")
        return self.found_key

    @property
    def commit(self) -> Commit:
        """The commit that is deployed; a step has pinned it before."""
        if self.found_commit is None:
            raise ConfigError("no commit has been chosen yet", hint="blackstart check")
        return self.found_commit

    @property
    def manifest(self) -> Manifest:
        """The stacks; a step has synthesized them before."""
        if self.found_manifest is None:
            raise ConfigError("the stacks have not been synthesized yet", hint="blackstart synth")
        return self.found_manifest

    @property
    def changed(self) -> bool:
        """Whether this run changed a stack."""
        return any(not applied.nothing for applied in self.applied.values())

    def terraform(self, stack: Stack) -> Terraform:
        """Terraform in a stack's folder, with the variables that the stack takes."""
        return Terraform(
            stack.folder,
            binary=toolchain.path("terraform"),
            env=self._variables(stack),
            log=self.folder / "logs" / f"{stack.id}.log",
        )

    def cluster(self) -> Cluster:
        """The cluster's API; its kubeconfig is fetched anew when it is missing or no longer accepted."""
        if not self.ws.kubeconfig.is_file():
            self.fetch_kubeconfig()
        cluster = Cluster(self.ws.kubeconfig, timeout=self.config.timeouts.api)
        try:
            cluster.version()
        except ApiDenied:
            self.fetch_kubeconfig()
            cluster = Cluster(self.ws.kubeconfig, timeout=self.config.timeouts.api)
        return cluster

    def fetch_kubeconfig(self) -> None:
        """Ask the provider for the kubeconfig and keep it, mode 0600."""
        write_private(self.ws.kubeconfig, self.provider.kubeconfig())

    def _variables(self, stack: Stack) -> dict[str, str]:
        env = {
            "TF_CLI_CONFIG_FILE": str(toolchain.terraformrc(self.config.providers)),
            "BLACKSTART_PYTHON": sys.executable,  # for provisioners
        }
        if stack.part in ("sops-age", "single"):
            env["TF_VAR_age_key"] = self.key.identities
        if stack.part in ("flux", "single"):
            env["TF_VAR_suspended"] = _json_list(self.suspended)
            env.update(git_variables(self.config, self.ws.root))
        return env


def git_variables(config: ClusterConfig, root: Path) -> dict[str, str]:
    """`TF_VAR_git_credentials` where the remote needs credentials: as in Flux's Secret, in JSON."""
    from blackstart.tools.credentials import git_credentials

    credentials = git_credentials(config.git, root)
    return {"TF_VAR_git_credentials": credentials.to_json()} if credentials else {}


def finish_quietly(error: BlackstartError | None) -> str:
    """The outcome's name for a report."""
    if error is None:
        return "ready"
    return "interrupted" if error.exit_code == 130 else "failed"


def _json_list(names: tuple[str, ...]) -> str:
    import json

    return json.dumps(list(names))
