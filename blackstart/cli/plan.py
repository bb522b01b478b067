"""`blackstart plan`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from blackstart import recipes
from blackstart.cli.fleet import alone, look, parallel_option, selected, selection_options
from blackstart.cli.options import Options
from blackstart.cli.running import one_cluster, quiet_sink
from blackstart.plan import LayerPlan, StackPlan, plan_layers, plan_stacks
from blackstart.progress import Progress
from blackstart.steps import execute
from blackstart.steps.run import Run


@click.command()
@click.option("--ref", default="HEAD", help="The commit to plan for, when git.url is worktree.")
@selection_options
@parallel_option
@click.pass_obj
def plan(options: Options, /, ref: str, every: bool, match: str, more: tuple[str, ...], max_parallel: int) -> None:
    """Show what up would change, in Terraform and in the Flux layers; changes nothing."""
    chosen = selected(options, every, match, more)
    if chosen.is_fleet:
        look(options, ["plan", "--ref", ref], chosen, max_parallel)
    options = alone(options, more)
    ws, config = one_cluster(options)
    with tempfile.TemporaryDirectory(prefix="blackstart-plan-") as folder:
        run = Run(ws, config, Progress(quiet_sink()), Path(folder), ref=ref)
        execute(recipes.prepare(), run)
        stacks, layers = plan_stacks(run), plan_layers(run)
    if options.output == "json":
        found = {"stacks": [asdict(one) for one in stacks], "layers": [asdict(one) for one in layers]}
        click.echo(json.dumps(found))
    else:
        click.echo(text(stacks, layers))


def text(stacks: Sequence[StackPlan], layers: Sequence[LayerPlan]) -> str:
    """The plan for people."""
    lines: list[str] = []
    for stack in stacks:
        note = f"created after {stack.after}" if stack.after else _count(len(stack.changes))
        lines += [f"{stack.name}  {note}", *(f"  {action:<8} {address}" for address, action in stack.changes)]
    for layer in layers:
        number = len(layer.created) + len(layer.changed) + len(layer.removed)
        lines.append(f"layers/{layer.name}  {_count(number)}")
        for action, names in (("create", layer.created), ("change", layer.changed), ("remove", layer.removed)):
            lines += [f"  {action:<8} {name}" for name in names]
    return "\n".join(lines)


def _count(number: int) -> str:
    return "nothing to change" if number == 0 else f"{number} to change"
