"""`blackstart init`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from blackstart.cli.options import Options
from blackstart.errors import ConfigError
from blackstart.init import Answers, Found, adopt, find, plan
from blackstart.init.answers import validated
from blackstart.init.layers import WIRING
from blackstart.init.scaffold import create, require_free
from blackstart.tools.git import Git

PROVIDERS = ("embedded", "kind", "k3s", "existing")
SHORT_SSH = re.compile(r"^(?P<who>[\w.-]+@[\w.-]+):(?!//)(?P<path>.+)$")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags, and whether somebody is there to be asked for what they leave open."""

    given: dict[str, Any]
    terminal: bool

    def one(self, flag: str, question: str, default: str | None = None) -> str:
        """The flag's value, else the answer, else the default. Raises ConfigError when there is none of them."""
        value = self.given.get(flag)
        if value not in (None, "", ()):
            return str(value)
        if self.terminal:
            return str(click.prompt(question, default=default, err=True))
        if default is None:
            option = f"--{flag.replace('_', '-')}"
            raise ConfigError(f"{question}: nobody to ask here", hint=f"blackstart init … {option} VALUE")
        return default

    def many(self, flag: str, question: str, default: str | None = None) -> list[str]:
        """As `one`, for a list: separated by blanks in an answer."""
        return list(self.given.get(flag) or self.one(flag, question, default).split())


@click.command()
@click.option("--name", help="The cluster's name.")
@click.option("--provider", type=click.Choice(PROVIDERS), help="What the cluster is made by.")
@click.option("--nodes", type=int, help="embedded: simulated nodes.")
@click.option("--kubeconfig", help="existing: the kubeconfig's path.")
@click.option("--context", help="existing: the context in it.")
@click.option("--endpoint", help="k3s: the stable name or virtual IP of the API.")
@click.option("--server", multiple=True, metavar="NAME=ADDRESS", help="k3s: a server; one, three or five of them.")
@click.option("--agent", multiple=True, metavar="NAME=ADDRESS", help="k3s: an agent.")
@click.option("--ssh-user", help="k3s: the user on the hosts.")
@click.option("--git-url", help="What Flux reads: a URL, or worktree (this repository, on loopback).")
@click.option("--branch", help="The branch that Flux reads.")
@click.option("--domain", help="The domain of routes and certificates.")
@click.option("--ip-range", help="Where LoadBalancer Services get their addresses from.")
@click.option("--storage", help="The storage class of volumes.")
@click.option("--recipient", multiple=True, metavar="age1…", help="Who else can decrypt (break-glass).")
@click.option("--adopt", "adopting", is_flag=True, help="Read a Flux repository, write only its cluster file.")
@click.pass_obj
def init(options: Options, /, name: str | None, adopting: bool, recipient: tuple[str, ...], **flags: Any) -> None:
    """Scaffold a cluster file, its key, .sops.yaml and wiring; ask on a terminal. Never overwrites.

    All is written or nothing. Exit code 8: the cluster has its file already.
    """
    asked = Asked({**flags, "name": name}, on_terminal())
    if adopting:
        _adopt(options, asked, recipient)
        return
    named = _named(asked.one("name", "Name of the cluster", "production"))
    require_free(options.root, named)
    answers = _answers(options.root, asked, named)
    planned = plan(options.root, answers, recipient)
    written = planned.write()
    lines = [f"wrote      {one}" for one in written] + [f"kept       {one}" for one in planned.kept]
    data = {"cluster": named, "recipient": planned.recipient, "written": written, "kept": planned.kept}
    _tell(options, data, lines, "-A")


def on_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def _adopt(options: Options, asked: Asked, more: tuple[str, ...]) -> None:
    found = find(options.root, str(asked.given["name"] or ""))
    require_free(options.root, _named(found.name))
    people = tuple(dict.fromkeys((*adopt.recipients(options.root), *more)))
    if not people:
        raise ConfigError(
            "no .sops.yaml here names an Age recipient",
            hint=f"blackstart --cluster {found.name} keys new, or --recipient age1… of a key that you have",
        )
    answers = _adopted(options.root, asked, found)
    name = f"clusters/{found.name}.yaml"
    text = answers.cluster_file(people, "upstream")
    validated(options.root, found.name, text)
    create(options.root, {name: text})
    if found.bootstrapped:
        click.echo(
            f"warning: {found.bootstrapped}/ holds Flux and its GitRepository, which blackstart installs too: before "
            "the first recover or drill leave it out of the wiring, as docs/init.md shows",
            err=True,
        )
    _tell(options, {"cluster": found.name, "written": [name], "kept": []}, [f"wrote      {name}"], name)


def _adopted(root: Path, asked: Asked, found: Found) -> Answers:
    cluster = _cluster(asked, "existing" if found.url else "embedded")
    url = _url(asked, root, cluster["provider"], found.url)
    branch = asked.one("branch", "Git branch that Flux reads", found.branch or "main")
    settings = {
        setting: str(asked.given[flag])
        for flag, setting in (("domain", "domain"), ("ip_range", "ip_pool"), ("storage", "storage_class"))
        if asked.given[flag]
    }
    return Answers(found.name, cluster, url, branch, found.path, settings)


def _answers(root: Path, asked: Asked, name: str) -> Answers:
    cluster = _cluster(asked, "embedded")
    url = _url(asked, root, cluster["provider"])
    branch = asked.one("branch", "Git branch that Flux reads", "main")
    settings = {
        "domain": asked.one("domain", "Domain", "example.test"),
        "ip_pool": asked.one("ip_range", "IP range of LoadBalancer Services", "192.0.2.0/26"),
        "storage_class": asked.one("storage", "Storage class", "iscsi"),
    }
    return Answers(name, cluster, url, branch, WIRING.format(name), settings)


def _cluster(asked: Asked, default: str) -> dict[str, Any]:
    """The section `cluster`: the provider, and the fields that it has."""
    provider = asked.one("provider", f"Provider ({', '.join(PROVIDERS)})", default)
    if provider == "embedded":
        return {"provider": provider, "nodes": _number(asked.one("nodes", "Simulated nodes", "1"))}
    if provider == "existing":
        kubeconfig = asked.one("kubeconfig", "Path of the kubeconfig", "~/.kube/config")
        return {"provider": provider, "kubeconfig": kubeconfig, "context": asked.one("context", "Context in it", "")}
    if provider == "k3s":
        return {
            "provider": provider,
            "endpoint": asked.one("endpoint", "Stable name or virtual IP of the API"),
            "servers": _hosts(asked.many("server", "Servers as NAME=ADDRESS, one, three or five")),
            "agents": _hosts(asked.many("agent", "Agents as NAME=ADDRESS", "")),
            "ssh": {"user": asked.one("ssh_user", "User on the hosts", "root")},
        }
    return {"provider": provider}


def _hosts(given: Sequence[str]) -> list[dict[str, str]]:
    pairs = [one.partition("=") for one in given]
    for name, _, address in pairs:
        if not (name and address):
            raise ConfigError(f"{name or address} is not NAME=ADDRESS", hint="such as server-1=10.0.0.11")
    return [{"name": name, "address": address} for name, _, address in pairs]


def _url(asked: Asked, root: Path, provider: str, known: str = "") -> str:
    default = known or ("worktree" if provider in ("embedded", "kind") else Git(root).origin() or None)
    url = asked.one("git_url", "Git URL that Flux reads (or worktree)", default)
    short = SHORT_SSH.match(url)
    return f"ssh://{short['who']}/{short['path']}" if short else url


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be a cluster's name", hint="small letters, digits, hyphens; at most 40")
    return name


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{text} is not a number of nodes", hint="--nodes 1")
    return int(text)


def _tell(options: Options, data: dict[str, Any], lines: Sequence[str], to_add: str) -> None:
    name = data["cluster"]
    following = (f"git add {to_add} && git commit -m 'cluster {name}'", f"blackstart --cluster {name} check")
    if options.output == "json":
        click.echo(json.dumps({**data, "next": following}))
        return
    click.echo("\n".join([*lines, "", "Next:", *(f"  {one}" for one in following)]))
