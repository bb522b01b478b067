"""`blackstart synth`."""

from __future__ import annotations

from pathlib import Path

import click

from blackstart.cli.options import Options
from blackstart.cli.provider_lock import ensure_provider_lock
from blackstart.cli.running import one_cluster
from blackstart.synth import read, run_app
from blackstart.synth import synth as make


@click.command()
@click.option(
    "--commit-to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make them in this folder instead, to be committed: for workspaces that HCP Terraform drives from Git.",
)
@click.pass_obj
def synth(options: Options, commit_to: Path | None) -> None:
    """Make the Terraform stacks; prints the folder of each, in the order they are applied."""
    ws, config = one_cluster(options)
    if commit_to:
        if config.providers == "registry":
            ensure_provider_lock(ws.root)
        run_app(ws.root, ws.cluster, commit_to.absolute())
    manifest = read(commit_to, ws.cluster) if commit_to else make(ws, config)
    for stack in manifest.stacks:
        click.echo(stack.folder)
