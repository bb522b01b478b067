"""The server token of a k3s cluster: made once, kept encrypted in Git (issue 7).

etcd's data is encrypted with it: without the token a snapshot of etcd is worthless.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from blackstart import toolchain
from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import ConfigError, KeyProblem
from blackstart.keys import rules
from blackstart.keys.custody import write_new
from blackstart.tools.age import FoundKey
from blackstart.tools.process import hide
from blackstart.tools.sops import Sops, SopsFile

BYTES = 32


def file_of(ws: Workspace) -> Path:
    """Where the token is kept: `keys/<cluster>.k3s-token.sops.yaml`."""
    return ws.root / "keys" / f"{ws.cluster}.k3s-token.sops.yaml"


def read(ws: Workspace, key: FoundKey) -> str:
    """The token (secret). Raises KeyProblem when there is none, or the key does not open it."""
    name = f"keys/{file_of(ws).name}"
    try:
        text = file_of(ws).read_text()
    except FileNotFoundError:
        raise KeyProblem(f"there is no {name}", hint=f"git log -- {name}; a new cluster: blackstart up") from None
    values = {value.path: value.clear.decode() for value in SopsFile.parse(text, name).values(key)}
    token = values.get(("token",), "")
    if not token:
        raise KeyProblem(f"{name} holds no token", hint=f"git log -p {name}")
    hide(token)
    return token


def make(ws: Workspace, config: ClusterConfig, token: str = "") -> Path:
    """Encrypt a new token, or the one of a cluster that exists, to the recipients of its rule in `.sops.yaml`.

    Nothing in clear touches a disk. Raises ConfigError when the rule lacks one of `sops.recipients`, Unsafe when the
    file exists.
    """
    path = file_of(ws)
    name = f"keys/{path.name}"
    _require_rule(ws.root, config, name)
    fresh = token or secrets.token_hex(BYTES)
    hide(fresh)
    write_new(path, Sops(toolchain.path("sops"), ws.root).encrypt(f"token: {fresh}\n", name))
    path.chmod(0o644)  # encrypted, and Git keeps no other mode
    return path


def _require_rule(root: Path, config: ClusterConfig, name: str) -> None:
    path = root / rules.FILE
    rule = rules.rule_for(rules.rules_in(path.read_text() if path.is_file() else "creation_rules: []"), name)
    lacking = [one for one in config.sops.recipients if rule is None or one not in rule.recipients]
    if lacking:
        everybody = ",".join(config.sops.recipients)
        raise ConfigError(
            f"{rules.FILE} has no rule for {name} with all of sops.recipients; it lacks {', '.join(lacking)}",
            hint=f"add to {rules.FILE}: {{path_regex: 'keys/.*\\.sops\\.ya?ml$', age: '{everybody}'}}",
        )
