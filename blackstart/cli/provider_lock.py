"""The lock of the registry's providers, for terraform that runs on another machine."""

from __future__ import annotations

from pathlib import Path

import click

from blackstart import toolchain
from blackstart.config.cache import REGISTRY_LOCK
from blackstart.errors import BlackstartError, CommandFailed


def ensure_provider_lock(root: Path) -> None:
    """Make it where the repository has none. Without it a run takes the newest providers that fit: a warning."""
    try:
        if toolchain.lock_registry(root):
            click.echo(f"+ {REGISTRY_LOCK}: commit it", err=True)
    except BlackstartError as error:
        why = error.tail.strip().splitlines()[-1] if isinstance(error, CommandFailed) and error.tail else error.message
        click.echo(f"! no {REGISTRY_LOCK}: runs elsewhere take the newest providers that fit ({why})", err=True)
