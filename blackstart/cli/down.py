"""`blackstart down`."""

from __future__ import annotations

import sys
from typing import Any

import click

from blackstart import recipes
from blackstart.cli.fleet import alone, look, rollout_options, selected, selection_options, work
from blackstart.cli.options import Options
from blackstart.cli.running import carry_out, one_cluster
from blackstart.errors import Unsafe
from blackstart.fleet import Rollout


@click.command()
@click.option("--confirm", default="", help="The cluster's name, instead of typing it.")
@click.option("--dry-run", is_flag=True, help="Print the steps and stop.")
@selection_options
@rollout_options
@click.pass_obj
def down(options: Options, /, confirm: str, dry_run: bool, every: bool, match: str, **rest: Any) -> None:
    """Drain the Flux layers in reverse order, then destroy the stacks.

    Of many clusters only the embedded ones: each other one wants its own --confirm.
    """
    more = rest.pop("more")
    chosen = selected(options, every, match, more)
    if chosen.is_fleet and dry_run:
        look(options, ["down", "--dry-run"], chosen, rest["max_parallel"])
    if chosen.is_fleet:
        work(options, ["down"], chosen, Rollout(**rest))
    options = alone(options, more)
    ws, config = one_cluster(options)
    if dry_run:
        click.echo(recipes.printed(recipes.down(config)))
        return
    if config.provider != "embedded" and confirm != ws.cluster:
        what = "takes everything of blackstart out of" if config.provider == "existing" else "destroys"
        _ask(ws.cluster, what)
    carry_out(options, "down", recipes.down)


def _ask(cluster: str, what: str) -> None:
    if not sys.stdin.isatty():
        raise Unsafe(f"{cluster} is not a throwaway", hint=f"blackstart --cluster {cluster} down --confirm {cluster}")
    if click.prompt(f"This {what} {cluster}. Type its name to go on", default="", show_default=False) != cluster:
        raise Unsafe("not the cluster's name: nothing was changed", hint="blackstart status")
