"""`blackstart cloud setup|runs`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import click

from blackstart import toolchain
from blackstart.cli.fleet import selected, selection_options
from blackstart.cli.options import Options
from blackstart.cli.provider_lock import ensure_provider_lock
from blackstart.cloud.setup import Change, Setup
from blackstart.cloud.wanted import ACCESS, Given, Wanted, settings, wanted
from blackstart.cloud.watching import NewestRun, follow, newest_runs
from blackstart.config import ClusterConfig, Workspace, load
from blackstart.tools.age import find_key
from blackstart.tools.cloud_run import why
from blackstart.tools.cloud_token import token
from blackstart.tools.credentials import git_credentials
from blackstart.tools.process import hide
from blackstart.tools.terraform_cloud import TerraformCloud, Thing

Place = tuple[str, str]
"""hostname, organization"""


@click.group()
def cloud() -> None:
    """HCP Terraform workspaces, variables, runs (docs/hcp.md)."""


@cloud.command()
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--renew-secrets", is_flag=True, help="Write sensitive variables anew: they cannot be compared.")
@selection_options
@click.pass_obj
def setup(options: Options, dry_run: bool, renew_secrets: bool, every: bool, match: str, more: tuple[str, ...]) -> None:
    """Make projects, workspaces, variables and run triggers as the cluster files say; shows the difference first."""
    by_place: dict[Place, list[Wanted]] = {}
    elsewhere = False
    for ws, config in _clusters(options, every, match, more):
        place = settings(ws, config)
        elsewhere = elsewhere or config.state.runs_remotely
        version = toolchain.version("terraform")
        found = wanted(ws, config, _given(ws, config), version)
        by_place.setdefault((place.hostname, place.organization), []).extend(found)
    if elsewhere and not dry_run:
        ensure_provider_lock(options.root)
    for (hostname, organization), workspaces in by_place.items():
        it = Setup(TerraformCloud(hostname, token(hostname)), organization, renew=renew_secrets)
        changes = it.changes(workspaces)
        _show(options, changes, it.missing)
        for change in changes if not dry_run else ():
            change.make()
    if not dry_run and options.output == "text":
        click.echo("done", err=True)


@cloud.command()
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1), help="How many of each workspace.")
@click.option("--wait", is_flag=True, help="Follow the newest run of each stack until all are done.")
@selection_options
@click.pass_obj
def runs(options: Options, limit: int, wait: bool, every: bool, match: str, more: tuple[str, ...]) -> None:
    """List the newest runs of each stack, with links; and who holds a workspace's lock."""
    if wait:
        _follow(options, list(_clusters(options, every, match, more)))
        return
    clients: dict[str, TerraformCloud] = {}
    for ws, config in _clusters(options, every, match, more):
        place = settings(ws, config)
        client = clients.get(place.hostname) or TerraformCloud(place.hostname, token(place.hostname))
        clients[place.hostname] = client
        for stack in ws.stack_ids(config.state.layout):
            for row in _runs(client, place.organization, stack, limit):
                click.echo(json.dumps(row) if options.output == "json" else _line(row))


def _clusters(
    options: Options, every: bool, match: str, more: Sequence[str]
) -> Iterator[tuple[Workspace, ClusterConfig]]:
    """With `--all` or `--match`, only those whose states are on HCP Terraform."""
    chosen = selected(options, every, match, more)
    for name in chosen.names(options.root):
        config = load(options.root, name)
        if config.state.backend == "cloud" or not (every or match):
            yield Workspace(options.root, name), config


def _given(ws: Workspace, config: ClusterConfig) -> Given:
    if not config.state.runs_remotely:
        return Given()
    key = find_key(ws, config)
    credentials = git_credentials(config.git, ws.root)
    access = {name: os.environ[name] for name in ACCESS if os.environ.get(name)}
    hide(access.get("KUBE_TOKEN", ""))
    return Given(key.identities, key.recipients, credentials.to_json() if credentials else "", access)


def _show(options: Options, changes: Sequence[Change], missing: Sequence[str]) -> None:
    for change in changes:
        click.echo(json.dumps({"change": change.text}) if options.output == "json" else change.text)
    if not changes:
        click.echo("nothing to do", err=True)
    for one in missing:
        words = "no such variable in the environment, and none in the workspace (dynamic credentials do as well)"
        click.echo(f"! {one}: {words}", err=True)


def _runs(client: TerraformCloud, organization: str, stack: str, limit: int) -> Iterator[dict[str, Any]]:
    workspace = client.get(f"organizations/{organization}/workspaces/{stack}")
    base = f"https://{client.hostname}/app/{organization}/workspaces/{stack}"
    if workspace.attributes.get("locked"):
        yield {"workspace": stack, "run": "", "status": "locked", "created": "", "link": base}
    found = client.list(f"workspaces/{workspace.id}/runs", **{"page[size]": str(limit)})
    for run in islice(found, limit):
        yield _row(stack, run, f"{base}/runs/{run.id}")


def _follow(options: Options, clusters: Sequence[tuple[Workspace, ClusterConfig]]) -> None:
    """One process for all of them, on the terms of the most patient cluster (`timeouts.remote_run`)."""
    stacks: dict[Place, list[str]] = {}
    for ws, config in clusters:
        place = settings(ws, config)
        stacks.setdefault((place.hostname, place.organization), []).extend(ws.stack_ids(config.state.layout))

    def told(one: NewestRun, run: Thing) -> None:
        row = _row(one.workspace, run, one.link)
        click.echo(json.dumps(row) if options.output == "json" else _line(row))

    seconds = max(config.timeouts.remote_run for _, config in clusters)
    for (hostname, organization), names in stacks.items():
        client = TerraformCloud(hostname, token(hostname))
        follow(client, list(newest_runs(client, organization, names)), told, seconds)


def _row(stack: str, run: Thing, link: str) -> dict[str, Any]:
    status = why(run) or str(run.attributes["status"])
    created = str(run.attributes.get("created-at") or "")
    return {"workspace": stack, "run": run.id, "status": status, "created": created, "link": link}


def _line(row: dict[str, Any]) -> str:
    return f"{row['workspace']:<32} {row['status']:<28} {row['created']:<20} {row['link']}"
