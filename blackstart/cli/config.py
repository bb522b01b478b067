"""`blackstart config`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from blackstart.cli.options import Options
from blackstart.config.provenance import provenance


@click.group()
def config() -> None:
    """Show the merged configuration of a cluster."""


@config.command()
@click.argument("name", default="")
@click.pass_obj
def show(options: Options, name: str) -> None:
    """Print every value and where it comes from: the cluster's file, the shared defaults, or built in."""
    values = provenance(options.root, name or options.clusters[0])
    if options.output == "json":
        click.echo(json.dumps([asdict(value) for value in values]))
        return
    width = max(len(value.path) for value in values)
    for value in values:
        click.echo(f"{value.path:<{width}}  {json.dumps(value.value, ensure_ascii=False)}  # {value.source}")
