"""`blackstart synth`."""

from __future__ import annotations

import click

from blackstart.cli.options import Options
from blackstart.cli.running import one_cluster
from blackstart.synth import synth as make


@click.command()
@click.pass_obj
def synth(options: Options) -> None:
    """Make the Terraform stacks; prints the folder of each, in the order they are applied."""
    ws, config = one_cluster(options)
    for stack in make(ws, config).stacks:
        click.echo(stack.folder)
