"""`blackstart report`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from blackstart.cli.options import Options
from blackstart.config import Workspace
from blackstart.errors import ConfigError
from blackstart.report.record import Report, history


@click.command()
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained page.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture of the live view.")
@click.option("--at", type=float, metavar="SECONDS", help="With --svg: this moment of the run, not its end.")
@click.pass_obj
def report(options: Options, html: Path | None, svg: Path | None, at: float | None) -> None:
    """Show the last run as a timeline."""
    runs = [run for name in options.clusters for run in history(Workspace(options.root, name))]
    if not runs:
        raise ConfigError(f"no run of {', '.join(options.clusters)} is stored here", hint="blackstart up")
    shown = max(runs, key=lambda run: run.started)
    if html is not None:
        from blackstart.report.page import page

        save(html, page(shown, runs))
    if svg is not None:
        from blackstart.report.picture import picture

        save(svg, picture(shown, at))
    if options.output == "json":
        click.echo(json.dumps(shown.to_json(), ensure_ascii=False))
    elif html is None and svg is None:
        click.echo(as_tree(shown))


def as_tree(shown: Report) -> str:
    """The run as a tree with bars, as wide as the terminal."""
    from blackstart.report.tree import tree

    return tree(shown, min(shutil.get_terminal_size().columns, 120))


def save(path: Path, text: str) -> None:
    """Write a file and say so on stderr. Raises ConfigError when its folder is not there."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} can not be written: {error.strerror}", hint="give another FILE") from None
    click.echo(f"written: {path}", err=True)
