"""`blackstart up`."""

from __future__ import annotations

import click

from blackstart import recipes
from blackstart.cli.options import Options
from blackstart.cli.running import carry_out, one_cluster


@click.command()
@click.option("--ref", default="HEAD", help="The commit to deploy, when git.url is worktree.")
@click.option("--dry-run", is_flag=True, help="Print the steps and stop.")
@click.pass_obj
def up(options: Options, ref: str, dry_run: bool) -> None:
    """Bring everything to Ready; a second run changes nothing."""
    if dry_run:
        _, config = one_cluster(options)
        click.echo(recipes.printed(recipes.up(config)))
        return
    carry_out(options, "up", recipes.up, ref=ref)
