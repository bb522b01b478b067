"""Takes one look at everything, in parallel; what does not work becomes evidence, never an exception."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from blackstart import toolchain
from blackstart.check import charts, network, sealed
from blackstart.check.evidence import Backups, Evidence, Live, Machine, Problem, Remote, Source
from blackstart.check.sealed import KeyLook
from blackstart.config import ClusterConfig, Workspace
from blackstart.config.load import read_yaml
from blackstart.config.model import K3s
from blackstart.embedded.lifecycle import require_git_port
from blackstart.errors import BlackstartError, ConfigError, MissingTool
from blackstart.gates.key import recipients_in
from blackstart.layers import Exported, Wiring, wiring
from blackstart.providers import provider
from blackstart.tools.credentials import git_credentials
from blackstart.tools.git import Commit, Git, credentials_environment
from blackstart.tools.kubernetes import Cluster
from blackstart.tools.manifests import documents

ALWAYS = ("terraform", "helm", "sops", "node", "build-layers")
EMBEDDED = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kwok", "kwokctl"),
    *("source-controller", "kustomize-controller", "helm-controller"),
)
THREADS = 8
API_SECONDS = 2.0
SSH_SECONDS = 3
"""For a host to let us in; the cluster file's own limit is meant for `up`, which has the time."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: a commit of a cluster.

    `fast`, as `up` and `recover` look, leaves out chart repositories, the provider and the running cluster; they have
    exported the commit already.
    """

    ws: Workspace
    config: ClusterConfig
    commit: Commit
    fast: bool
    exported: Exported | None = None

    @property
    def git(self) -> Git:
        """The operator's repository."""
        return Git(self.ws.root)


def gather(subject: Subject, key: KeyLook) -> Evidence:
    """Everything that the rules read. Raises nothing but bugs."""
    with tempfile.TemporaryDirectory(prefix="blackstart-check-") as name, ThreadPoolExecutor(THREADS) as pool:
        aside = _begin_aside(subject, pool)
        known = subject.exported
        export = known.folder if known else Path(name)
        left_out = known.left_out if known else subject.git.export(subject.commit, export)
        found = tuple(documents(export))
        secrets = pool.submit(sealed.look, export, subject.git.read(subject.commit, ".sops.yaml"), found, key)
        wired = known.wiring if known else _wired(export, subject.config)
        look = charts.Look(export, found, online=not subject.fast)
        releases = charts.gather(wired, look, pool) if isinstance(wired, Wiring) else ()
        planted = network.look(wired, export) if isinstance(wired, Wiring) and subject.config.bare else None
        hidden = secrets.result()
        return Evidence(
            cluster=subject.ws.cluster,
            config=subject.config,
            lines=_lines(subject),
            commit=subject.commit,
            source=_source(subject, export, left_out, aside.remote.result()),
            wiring=wired if isinstance(wired, Wiring) else None,
            wiring_problem=wired if isinstance(wired, Problem) else None,
            documents=found,
            charts=releases,
            network=planted,
            key=key.key,
            secrets=hidden.secrets,
            plaintext=hidden.plaintext,
            rules_problem=hidden.rules_problem,
            live=aside.cluster.result()[0],
            machine=_machine(subject, aside),
            backups=_backups(subject.ws),
        )


@dataclass(frozen=True, slots=True)
class _Aside:
    """What is asked while the layers are built."""

    remote: Future[Remote | None]
    tools: Future[Mapping[str, Problem]]
    provider: Future[Problem | None]
    cluster: Future[tuple[Live | None, float | None]]


def _begin_aside(subject: Subject, pool: Executor) -> _Aside:
    return _Aside(
        pool.submit(_remote, subject),
        pool.submit(_tools, subject.config),
        pool.submit(_provider, subject),
        pool.submit(_running, subject),
    )


def _lines(subject: Subject) -> Mapping[str, object]:
    try:
        return read_yaml(subject.ws.root / "clusters" / f"{subject.ws.cluster}.yaml")
    except (ConfigError, OSError):
        return {}


def _wired(export: Path, config: ClusterConfig) -> Wiring | Problem | None:
    if not (export / config.git.path).is_dir():
        return None
    try:
        return wiring(export, config)
    except MissingTool:  # a finding of its own
        return None
    except BlackstartError as error:
        return Problem(error.message, error.hint)


def _source(subject: Subject, export: Path, left_out: frozenset[str], remote: Remote | None) -> Source:
    git = subject.git
    files = frozenset(str(path.relative_to(export)) for path in export.rglob("*") if path.is_file())
    return Source(
        path_exists=git.path_exists(subject.commit, subject.config.git.path),
        dirty=subject.config.git.is_worktree and git.dirty(),
        files=files,
        hidden=left_out,
        remote=remote,
    )


def _remote(subject: Subject) -> Remote | None:
    """What the remote has, asked as Flux will ask; a GitHub App's token is made by Flux alone."""
    source = subject.config.git
    if source.is_worktree or source.auth.kind == "github_app":
        return None
    asked = _ask(subject, source.url)
    if asked.problem and not asked.no_branch and source.fallback_url:
        return _ask(subject, source.fallback_url)
    return asked


def _ask(subject: Subject, url: str) -> Remote:
    try:
        credentials = git_credentials(subject.config.git, subject.ws.root)
        with credentials_environment(credentials.data if credentials else {}) as env:
            return Remote(head=subject.git.remote_head(url, subject.config.git.branch, env))
    except BlackstartError as error:
        no_branch = isinstance(error, ConfigError) and "has no branch" in error.message
        return Remote(no_branch=no_branch, problem=Problem(error.message, error.hint))


def _tools(config: ClusterConfig) -> Mapping[str, Problem]:
    missing: dict[str, Problem] = {}
    for name in (*ALWAYS, *(EMBEDDED if config.provider == "embedded" else ())):
        try:
            toolchain.path(name)
        except BlackstartError as error:
            missing[name] = Problem(error.message, error.hint or "make setup")
    return missing


def _provider(subject: Subject) -> Problem | None:
    """The provider's own probe: can it tell whether its cluster exists; and can an embedded one listen."""
    try:
        if subject.config.provider == "embedded" and subject.config.git.is_worktree:
            require_git_port(subject.ws)
        if not subject.fast:
            provider(subject.ws, _impatient(subject.config)).exists()
    except BlackstartError as error:
        return Problem(error.message, error.hint)
    return None


def _impatient(config: ClusterConfig) -> ClusterConfig:
    if not isinstance(config.cluster, K3s):
        return config
    ssh = config.cluster.ssh.model_copy(update={"timeout": min(config.cluster.ssh.timeout, SSH_SECONDS)})
    return config.model_copy(update={"cluster": config.cluster.model_copy(update={"ssh": ssh})})


def _running(subject: Subject) -> tuple[Live | None, float | None]:
    """The key Secret and the clock of a cluster that answers; nothing of one that does not."""
    if subject.fast or not subject.ws.kubeconfig.is_file():
        return None, None
    try:
        cluster = Cluster(subject.ws.kubeconfig, timeout=API_SECONDS)
        skew = _skew(cluster.server_date(), time.time())
        secret = cluster.get("Secret", "sops-age", "flux-system")
    except BlackstartError:
        return None, None
    return (Live(live_keys(secret.get("data") or {})) if secret else None), skew


def live_keys(data: Mapping[str, str]) -> dict[str, bool]:
    """The data keys of the Secret, each with whether it holds Age keys and nothing else."""
    return {name: recipients_in(value) is not None for name, value in data.items()}


def _skew(date: str, now: float) -> float | None:
    """Seconds that this clock is ahead of an HTTP date (which has whole seconds)."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _machine(subject: Subject, aside: _Aside) -> Machine:
    return Machine(aside.tools.result(), aside.provider.result(), _free(subject.ws.root), aside.cluster.result()[1])


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _backups(ws: Workspace) -> Backups:
    return Backups(_newest(ws.states), _newest(ws.backups))


def _newest(folder: Path) -> float | None:
    times = [path.stat().st_mtime for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return max(times, default=None)
