"""Git credentials for a private remote: read from where the cluster file says, injected like the Age key."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.config.backends import SECRET_VARIABLES
from blackstart.config.model import Git, Source
from blackstart.errors import ConfigError, ToolFailed
from blackstart.tools.process import Command, hide, run

CMD_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """The data of Flux's Secret: username and password, or identity and known_hosts (source-controller, GitRepository
    spec)."""

    data: Mapping[str, str] = field(repr=False)

    def to_json(self) -> str:
        """As the flux stack takes them."""
        return json.dumps(dict(self.data), sort_keys=True)


def git_credentials(git: Git, root: Path) -> GitCredentials | None:
    """The credentials of `git.auth`, or None when the remote needs none. Raises ConfigError when they are missing."""
    auth = git.auth
    if auth.kind == "none" or auth.source is None:
        return None
    secret = read_source(auth.source, root, "git.auth.from")
    extra = {"caFile": _file(auth.ca, root, "git.auth.ca")} if auth.ca else {}
    if auth.kind == "token":
        return GitCredentials({"username": auth.username, "password": secret.strip(), **extra})
    if auth.kind == "ssh":
        known = _file(auth.known_hosts, root, "git.auth.known_hosts")
        return GitCredentials({"identity": secret, "known_hosts": known})
    return GitCredentials(
        {
            "githubAppID": auth.app_id,
            "githubAppInstallationID": auth.installation_id,
            "githubAppPrivateKey": secret,
            **extra,
        }
    )


def read_source(source: Source, root: Path, what: str) -> str:
    """A secret from env, file or cmd; from now on hidden in all output. `what` names the setting in errors."""
    if source.env:
        value = os.environ.get(source.env, "")
        if not value:
            raise ConfigError(f"{what}: {source.env} is not set in the environment", hint=f"export {source.env}=…")
    elif source.file:
        value = _file(source.file, root, what)
    else:
        done = run(Command(shlex.split(source.cmd), cwd=root, timeout=CMD_TIMEOUT), check=False)
        value = done.stdout
        if done.code != 0 or not value.strip():
            raise ToolFailed(f"{what}: {source.cmd} gave no secret (exit code {done.code})", hint="run it by hand")
    for line in value.splitlines():
        hide(line.strip())
    return value


def hide_backend_credentials() -> None:
    """What terraform's s3 and http backends read from the environment is hidden in all output from now on."""
    for name in SECRET_VARIABLES:
        for line in os.environ.get(name, "").splitlines():
            hide(line.strip())


def _file(name: str, root: Path, what: str) -> str:
    path = root / Path(name).expanduser()
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"{what}: cannot read {name}: {error.strerror}", hint=f"make {name}") from None
