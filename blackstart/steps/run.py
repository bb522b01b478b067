"""What the steps of one run share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from blackstart import toolchain
from blackstart.config import ClusterConfig, Workspace
from blackstart.config.model import Cloud
from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError, ConfigError, KeyProblem
from blackstart.keys import k3s_token
from blackstart.layers import Exported, Layer
from blackstart.progress import Progress
from blackstart.providers import Provider, provider
from blackstart.synth import PROJECT, Manifest, Stack
from blackstart.tools.age import FoundKey
from blackstart.tools.cloud_run import Following
from blackstart.tools.cloud_token import token, variable
from blackstart.tools.credentials import hide_backend_credentials
from blackstart.tools.git import Commit, Git
from blackstart.tools.kubernetes import ApiDenied, Cluster
from blackstart.tools.remote_terraform import Elsewhere, RemoteTerraform
from blackstart.tools.state_lock import LockLog
from blackstart.tools.terraform import Applied, Terraform
from blackstart.tools.terraform_cloud import TerraformCloud


@dataclass(slots=True)
class Run:
    """One run over one cluster: what it was given, and what its steps have found so far.

    `tree` is the exported commit as Flux sees it; `suspended` the layers that a hook still holds back. `cancel_run`
    is asked after a Ctrl-C whether a remote run, given by its link, is to be canceled.
    """

    ws: Workspace
    config: ClusterConfig
    progress: Progress
    folder: Path
    ref: str = "HEAD"
    found_key: FoundKey | None = None
    found_commit: Commit | None = None
    tree: Path | None = None
    exported: Exported | None = None
    layers: tuple[Layer, ...] = ()
    found_manifest: Manifest | None = None
    suspended: tuple[str, ...] = ()
    applied: dict[str, Applied] = field(default_factory=dict)
    secrets: int = 0
    released: set[str] = field(default_factory=set)
    found_cloud: TerraformCloud | None = None
    cancel_run: Callable[[str], bool] = field(default=lambda link: False)
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
        """Terraform in a stack's folder, with the variables that the stack takes; or where its runs are."""
        if self.config.state.runs_remotely:
            return RemoteTerraform(stack.folder, self._elsewhere(stack))
        hide_backend_credentials()
        return Terraform(
            stack.folder,
            binary=toolchain.path("terraform"),
            env=self._variables(stack),
            log=self.folder / "logs" / f"{stack.id}.log",
            locks=LockLog(self.ws.runs, self.folder, self.progress.warning),
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

    @property
    def cloud(self) -> TerraformCloud:
        """HCP Terraform, or what `state.cloud` names (one client a run: the limit of requests is its own)."""
        if self.found_cloud is None:
            hostname = self._cloud_settings.hostname
            self.found_cloud = TerraformCloud(hostname, token(hostname))
        return self.found_cloud

    @property
    def _cloud_settings(self) -> Cloud:
        if self.config.state.cloud is None:
            raise ConfigError("the cluster file has no state.cloud", hint="blackstart config show")
        return self.config.state.cloud

    def _elsewhere(self, stack: Stack) -> Elsewhere:
        """A secret is never a run's variable: those are kept in clear (`cloud setup` makes sensitive ones)."""
        from blackstart.steps.states import back_up as keep

        following = Following(
            told=lambda why: self.progress.waiting(stack.part, why),
            cancel=self.cancel_run,
            seconds=self.config.timeouts.remote_run,
            log=self.folder / "logs" / f"{stack.id}.log",
        )
        held = {"suspended": _json_list(self.suspended)} if stack.part in ("flux", "single") else {}
        secrets = {name.removeprefix("TF_VAR_"): value for name, value in self._secrets(stack).items()}
        organization = self._cloud_settings.organization
        return Elsewhere(self.cloud, organization, stack.id, following, held, secrets, partial(keep, self, stack.id))

    def _variables(self, stack: Stack) -> dict[str, str]:
        env = {
            "TF_CLI_CONFIG_FILE": str(toolchain.terraformrc(self.config.providers)),
            # For provisioners, also where blackstart is not installed and the repository does not hold it.
            "BLACKSTART_PYTHON": sys.executable,
            "PYTHONPATH": str(PROJECT),
        }
        if self.config.state.backend == "cloud":  # with TF_CLI_CONFIG_FILE terraform does not read its login's file
            hostname = self._cloud_settings.hostname
            env[variable(hostname)] = token(hostname)
        if stack.part in ("flux", "single"):
            env["TF_VAR_suspended"] = _json_list(self.suspended)
        return {**env, **self._secrets(stack)}

    def _secrets(self, stack: Stack) -> dict[str, str]:
        secrets: dict[str, str] = {}
        if self.config.provider == "k3s" and stack.part == "cluster":
            secrets["TF_VAR_k3s_token"] = self._k3s_token()
        if stack.part in ("sops-age", "single"):
            secrets["TF_VAR_age_key"] = self.key.identities
        if stack.part in ("flux", "single"):
            secrets.update(git_variables(self.config, self.ws.root))
        return secrets

    def _k3s_token(self) -> str:
        """Blank before there is one: a plan needs none, and a host refuses to join with it."""
        return k3s_token.read(self.ws, self.key) if k3s_token.file_of(self.ws).is_file() else ""


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
