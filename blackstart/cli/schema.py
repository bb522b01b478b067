"""`blackstart schema`."""

from __future__ import annotations

import json

import click

from blackstart.config import ClusterConfig


@click.command()
def schema() -> None:
    """Print the JSON Schema of `clusters/<name>.yaml`, for editors."""
    click.echo(json.dumps(ClusterConfig.model_json_schema(by_alias=True), indent=2))
