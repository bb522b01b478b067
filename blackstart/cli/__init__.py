"""The command line; each command is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from blackstart import __version__
from blackstart.cli.options import Options

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
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup, context_settings={"auto_envvar_prefix": "BLACKSTART", "help_option_names": ["-h", "--help"]}
)
@click.option(
    "--cluster", "clusters", multiple=True, envvar="BLACKSTART_CLUSTER", help="Which cluster (default: local)."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="What stdout is for.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context, clusters: tuple[str, ...], output: str, debug: bool) -> None:
    """Bring a GitOps cluster back from nothing."""
    ctx.obj = Options(Path.cwd(), clusters or ("local",), output, debug)
