"""The command line; each command is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from blackstart import __version__
from blackstart.cli.options import Options, with_cluster

COMMANDS = {
    "init": "Scaffold a cluster file, its key, .sops.yaml and wiring.",
    "check": "Find every problem that would stop up or recover, before anything changes.",
    "synth": "Make the Terraform stacks.",
    "plan": "Show what up would change, in Terraform and in the Flux layers.",
    "up": "Bring everything to Ready; a second run changes nothing.",
    "status": "Look at every gate once.",
    "recover": "Reach the same end state from any starting point.",
    "drill": "Break a throwaway cluster on purpose, recover it, prove the result.",
    "down": "Drain the Flux layers in reverse order, then destroy the stacks.",
    "keys": "The Age key's life.",
    "kubeconfig": "Print the cluster's kubeconfig.",
    "cloud": "HCP Terraform workspaces, variables, runs.",
    "toolchain": "The pinned outside programs.",
    "report": "Show the last run as a timeline.",
    "schema": "Print the JSON Schema of a cluster file.",
    "config": "Show the merged configuration of a cluster.",
}


ABOUT_NO_CLUSTER = ("init", "toolchain", "schema")
BEGINNING = """\b
Begin:             make up installs what is missing, then runs blackstart up
After a disaster:  blackstart recover --dry-run shows what was found and what it would do
Rehearse:          blackstart drill
Errors end with a hint: the next command. Exit codes and every option: docs/cli.md
"""


class LazyGroup(click.Group):
    """Knows its commands by name, imports `blackstart.cli.<name>` when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those that are there, in the order of the day."""
        here = Path(__file__).parent
        return [name for name in COMMANDS if (here / f"{name}.py").is_file()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(importlib.import_module(f"blackstart.cli.{cmd_name}"), cmd_name)
        if not isinstance(found, click.Command):
            return None
        return found if cmd_name in ABOUT_NO_CLUSTER else with_cluster(found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; a name that is nearly right gets a hint."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            guess = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(error.message + guess, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    epilog=BEGINNING,
    context_settings={"auto_envvar_prefix": "BLACKSTART", "help_option_names": ["-h", "--help"]},
)
@click.option(
    "--cluster",
    "clusters",
    multiple=True,
    envvar="BLACKSTART_CLUSTER",
    help="Which cluster (default: local), also after the command.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="For people, or NDJSON.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context, clusters: tuple[str, ...], output: str, debug: bool) -> None:
    """Bring a GitOps cluster back from nothing."""
    ctx.obj = Options(Path.cwd(), clusters or ("local",), output, debug)
