"""`blackstart up`."""

from __future__ import annotations

from typing import Any

import click

from blackstart import recipes
from blackstart.cli.fleet import alone, look, rollout_options, selected, selection_options, work
from blackstart.cli.options import Options
from blackstart.cli.running import carry_out, one_cluster
from blackstart.fleet import Rollout


@click.command()
@click.option("--ref", default="HEAD", help="The commit to deploy, when git.url is worktree.")
@click.option("--dry-run", is_flag=True, help="Print the steps and stop.")
@selection_options
@rollout_options
@click.pass_obj
def up(options: Options, /, ref: str, dry_run: bool, every: bool, match: str, **rest: Any) -> None:
    """Bring everything to Ready; a second run changes nothing.

    From whatever is there: nothing, a run that was killed, a cluster that drifted. The commit is what Git has, not the
    work tree. Many clusters at once: docs/fleet.md.
    """
    more = rest.pop("more")
    chosen = selected(options, every, match, more)
    if chosen.is_fleet and dry_run:
        look(options, ["up", "--dry-run"], chosen, rest["max_parallel"])
    if chosen.is_fleet:
        work(options, ["up"], chosen, Rollout(**rest), ref=ref)
    options = alone(options, more)
    if dry_run:
        _, config = one_cluster(options)
        click.echo(recipes.printed(recipes.up(config)))
        return
    carry_out(options, "up", recipes.up, ref=ref)
