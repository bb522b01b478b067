"""`blackstart check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from blackstart.check import Finding, Subject, exit_code, preflight, ready
from blackstart.cli.fleet import alone, look, parallel_option, selected, selection_options
from blackstart.cli.running import one_cluster
from blackstart.show import clean
from blackstart.tools.git import Commit, Git
from blackstart.tools.process import redact


@click.command()
@click.option("--fast", is_flag=True, help="Only what `up` checks: no chart repository, no running cluster.")
@click.option("--ref", default="HEAD", show_default=True, help="The commit to check.")
@selection_options
@parallel_option
@click.pass_context
def check(ctx: click.Context, /, fast: bool, ref: str, every: bool, match: str, **rest: Any) -> None:
    """Find every problem that would stop up or recover, before anything changes.

    Exit code 0: ready; 2: something is wrong; 7: something is wrong with the key.
    """
    more = rest.pop("more")
    chosen = selected(ctx.obj, every, match, more)
    if chosen.is_fleet:
        look(ctx.obj, ["check", "--ref", ref, *(["--fast"] if fast else [])], chosen, **rest)
    options = alone(ctx.obj, more)
    ws, config = one_cluster(options)
    commit = Git(ws.root).resolve(ref)
    found = preflight(Subject(ws, config, commit, fast))
    findings = [replace(one, message=redact(one.message), hint=redact(one.hint)) for one in found]
    show = as_json if options.output == "json" else as_text
    click.echo(show(ws.cluster, commit, findings))
    ctx.exit(exit_code(findings))


def as_json(cluster: str, commit: Commit, findings: Sequence[Finding]) -> str:
    """One object on one line."""
    told = [one.as_json() for one in findings]
    return json.dumps({"cluster": cluster, "commit": commit.sha, "ready": ready(findings), "findings": told})


def as_text(cluster: str, commit: Commit, findings: Sequence[Finding]) -> str:
    """For people: errors first, each with its place and the next command."""
    lines = [f'blackstart check · {cluster} · commit {commit.short} "{clean(commit.subject)}"', ""]
    for one in findings:
        lines += [f" {'✘' if one.stops else '!'} {one.where}  {one.id}", *_indented(clean(one.message))]
        lines += [f"   Hint  {clean(one.hint)}"] if one.hint else []
    return "\n".join([*lines, *([""] if findings else []), _verdict(findings)])


def _indented(text: str) -> list[str]:
    return [f"   {line}" for line in text.splitlines()]


def _verdict(findings: Sequence[Finding]) -> str:
    errors = sum(one.stops for one in findings)
    counted = ((errors, "error"), (len(findings) - errors, "warning"))
    told = [f"{number} {word}{'s' if number > 1 else ''}" for number, word in counted if number]
    if errors:
        return f"Not ready: {', '.join(told)}"
    return "Ready: nothing stands in the way of up and recover" + (f" ({told[0]})" if told else "")
