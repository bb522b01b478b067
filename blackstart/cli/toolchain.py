"""`blackstart toolchain install|list`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from blackstart import toolchain as programs
from blackstart.config.cache import FLUX_VERSION
from blackstart.progress import JsonSink, PlainSink, Progress


@click.group()
def toolchain() -> None:
    """The pinned outside programs: on PATH, in wheels, in the cache, else downloaded or built."""


@toolchain.command()
@click.argument("names", nargs=-1)
@click.option("--flux", multiple=True, metavar="VERSION", help="Also assemble the charts of this Flux version.")
@click.pass_context
def install(ctx: click.Context, names: tuple[str, ...], flux: tuple[str, ...]) -> None:
    """Install what is missing (all, or the NAMES given), with the Flux versions that the clusters ask for."""
    progress = Progress(JsonSink() if _json(ctx) else PlainSink(sys.stderr))
    wanted = {*flux} if names or flux else {*programs.configured_versions(Path("clusters")), FLUX_VERSION}
    chosen = list(names) if names or flux else None
    if not programs.install(chosen, progress, flux=sorted(wanted)):
        progress.note("toolchain: everything is there")


@toolchain.command("list")
@click.pass_context
def show(ctx: click.Context) -> None:
    """Each program, its version and where it came from."""
    found = programs.listing()
    if _json(ctx):
        rows = [{**_row(program), "path": str(program.path or "")} for program in found]
        click.echo("\n".join(json.dumps(row) for row in rows))
        return
    lines = [("PROGRAM", "VERSION", "SOURCE"), *(tuple(_row(program).values()) for program in found)]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, version, source in lines:
        click.echo(f"{name:<{widths[0]}}  {version:<{widths[1]}}  {source}")


def _row(program: programs.Program) -> dict[str, str]:
    where = f"PATH ({program.path})" if program.source == "PATH" else program.source
    return {"name": program.name, "version": program.version, "source": where}


def _json(ctx: click.Context) -> bool:
    return getattr(ctx.obj, "output", "text") == "json"
