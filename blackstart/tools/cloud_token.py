"""Where the token for HCP Terraform comes from: terraform's own places. It is never written and never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from blackstart.errors import ConfigError
from blackstart.tools.process import hide


def token(hostname: str, environment: Mapping[str, str] | None = None) -> str:
    """The token for a host: `TF_TOKEN_<host>`, what `terraform login` has kept, then `TFE_TOKEN`.

    Raises ConfigError when no place has one.
    """
    env = os.environ if environment is None else environment
    found = _named(hostname, env) or _kept(hostname, env) or env.get("TFE_TOKEN", "")
    if not found:
        raise ConfigError(
            f"no token for {hostname}: not in {variable(hostname)}, TFE_TOKEN or what terraform login keeps",
            hint=f"terraform login {hostname}",
        )
    hide(found)
    return found


def variable(hostname: str) -> str:
    """The environment variable that terraform reads for a host: dots are underscores there, hyphens two of them."""
    return f"TF_TOKEN_{hostname.replace('-', '__').replace('.', '_')}"


def _named(hostname: str, env: Mapping[str, str]) -> str:
    return env.get(variable(hostname), "") or env.get(f"TF_TOKEN_{hostname}", "")


def _kept(hostname: str, env: Mapping[str, str]) -> str:
    path = Path(env.get("HOME", "/nonexistent")) / ".terraform.d" / "credentials.tfrc.json"
    try:
        return str(json.loads(path.read_text())["credentials"][hostname]["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
