"""terraform's own settings of the s3 and http backends, passed through: a state for each stack, and no credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

FROM_ENVIRONMENT = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "web_identity_token": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "sse_customer_key": "AWS_SSE_CUSTOMER_KEY",
    "username": "TF_HTTP_USERNAME",
    "password": "TF_HTTP_PASSWORD",
    "client_private_key_pem": "TF_HTTP_CLIENT_PRIVATE_KEY_PEM",
}
"""Settings that are credentials, and the variables that terraform reads in their place."""
STACK = "{stack}"
"""Stands in settings for the name of a stack."""
NAMES_ONLY = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "TF_HTTP_USERNAME")
SECRET_VARIABLES = tuple(name for name in FROM_ENVIRONMENT.values() if name not in NAMES_ONLY)
"""Those of them whose content nobody may read."""


def require_a_state_for_each(backend: str, settings: Mapping[str, Any]) -> None:
    """Raises ValueError when two stacks would share a state, or a lock."""
    needed = {"address"} if backend == "http" and settings else set()
    for name in sorted(needed | settings.keys() & {"key", "address", "lock_address", "unlock_address"}):
        if STACK not in str(settings.get(name, "")):
            raise ValueError(f"{backend}.{name}: each stack needs a state of its own: put {STACK} into it")


def require_no_credentials(backend: str, settings: Mapping[str, Any]) -> None:
    """Raises ValueError when a credential stands in the file: it would be in Git, in cdktf.out and in .terraform."""
    for name, value in settings.items():
        if name in FROM_ENVIRONMENT:
            raise ValueError(f"{backend}.{name}: credentials come from the environment alone: {FROM_ENVIRONMENT[name]}")
        if isinstance(value, dict):
            require_no_credentials(f"{backend}.{name}", value)
        elif isinstance(value, str) and urlsplit(value).password:
            raise ValueError(f"{backend}.{name}: no password in an address; set TF_HTTP_USERNAME and TF_HTTP_PASSWORD")
