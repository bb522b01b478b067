"""`blackstart kubeconfig`."""

from __future__ import annotations

import click

from blackstart.cli.options import Options
from blackstart.cli.running import one_cluster
from blackstart.config.workspace import write_private
from blackstart.providers import provider


@click.command()
@click.option("--path", is_flag=True, help="Print the path of the file instead.")
@click.pass_obj
def kubeconfig(options: Options, path: bool) -> None:
    """Print the cluster's kubeconfig, fetched anew from its provider."""
    ws, config = one_cluster(options)
    text = provider(ws, config).kubeconfig()
    write_private(ws.kubeconfig, text)
    click.echo(str(ws.kubeconfig) if path else text, nl=path)
