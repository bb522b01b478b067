"""`blackstart status`."""

from __future__ import annotations

import json
from typing import Any

import click

from blackstart.cli.fleet import alone, parallel_option, selected, selection_options, statuses
from blackstart.cli.running import hold_gates, one_cluster
from blackstart.errors import GateBroken
from blackstart.show import addressed
from blackstart.status import latched
from blackstart.status import status as look


@click.command()
@click.option("--wait", is_flag=True, help="Wait until every layer is Ready.")
@selection_options
@parallel_option
@click.pass_context
def status(ctx: click.Context, wait: bool, every: bool, match: str, more: tuple[str, ...], max_parallel: int) -> None:
    """Look at every gate once; exit code 6 when something is not Ready.

    `-o json`: one document; of many clusters one a line, as soon as it is known.
    """
    chosen = selected(ctx.obj, every, match, more)
    if chosen.is_fleet:
        statuses(ctx.obj, ["status", *(["--wait"] if wait else [])], chosen, max_parallel)
    options = alone(ctx.obj, more)
    ws, config = one_cluster(options)
    if wait:
        hold_gates(options)
    found = latched(look(ws, config)) if wait else look(ws, config)
    click.echo(json.dumps(found) if options.output == "json" else table(found))
    if not found["ready"]:
        ctx.exit(GateBroken.exit_code)


def table(found: dict[str, Any]) -> str:
    """The status for people."""
    head = f"blackstart status · {found['cluster']} ({found['provider']}) · commit {found['commit'][:7] or 'none'}"
    lines = [head, ""]
    lines += [
        _line(one["applied"], one["name"], "applied" if one["applied"] else "not applied") for one in found["stacks"]
    ]
    key = found["secrets"]["sops_age"]
    lines.append(_line(key["matches"], "sops-age", ", ".join(key["recipients"]) or "not there"))
    lines += [_line(one["ready"], f"layers/{one['name']}", _first(one)) for one in found["layers"]]
    if found.get("error"):
        lines += ["", found["error"]]
    again = addressed("bring it there with: blackstart up", found["cluster"])
    lines += ["", "Ready" if found["ready"] else f"not Ready; {again}"]
    return "\n".join(lines)


def _first(one: dict[str, Any]) -> str:
    if one["ready"]:
        return str(one["revision"])
    return str(one["reason"]).splitlines()[0] if one["reason"] else "waiting"


def _line(good: bool, name: str, text: str) -> str:
    return f" {'✔' if good else '✘'} {name:<28} {text}"
