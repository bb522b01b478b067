"""`blackstart keys …`."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from blackstart.cli.options import Options
from blackstart.config import ClusterConfig, Workspace, load
from blackstart.errors import KeyProblem
from blackstart.keys import custody
from blackstart.tools import age


@click.group()
def keys() -> None:
    """The Age key's life."""


@keys.command()
@click.option("--recipient", "more", multiple=True, metavar="age1…", help="Who else can decrypt (break-glass).")
@click.pass_obj
def new(options: Options, more: tuple[str, ...]) -> None:
    """Make the cluster's key; its public half goes to keys/, the rules and the files. Never overwrites a key."""
    from blackstart import toolchain
    from blackstart.keys.rewrap import rewrap

    ws = _workspace(options)
    binary = toolchain.path("sops")  # missing it must be known before there is a key
    made = custody.new_key(ws, more)
    wrapped = rewrap(ws.root, binary)
    left = [f"no key here opens {name}: whoever has one runs sops updatekeys" for name in wrapped.left]
    for warning in (*made.warnings, *left):
        click.echo(f"warning: {warning}", err=True)
    files = (*made.files, *wrapped.done)
    data = {"recipient": made.recipient, "recipients": made.recipients, "files": files}
    lines = [f"recipient  {made.recipient}", *(f"wrote      {name}" for name in files), "next       git commit"]
    _answer(options, {**data, "warnings": [*made.warnings, *left]}, lines)


@keys.command()
@click.pass_obj
def show(options: Options) -> None:
    """Recipients, fingerprint, and where the private key was found; never the key."""
    ws, config = _cluster(options)
    found = age.find_key(ws, config)
    others = [one for one in config.sops.recipients if one not in found.recipients]
    data = {
        "cluster": ws.cluster,
        "where": found.where,
        "recipients": found.recipients,
        "fingerprints": [fingerprint(one) for one in found.recipients],
        "published": age.THROWAWAY in found.recipients,
        "others": others,
    }
    lines = [f"found in   {found.where}"]
    lines += [f"recipient  {one}  {fingerprint(one)}" for one in found.recipients]
    lines += [f"also       {one}" for one in others]
    if data["published"]:
        lines.append("this is the published throwaway key: for the embedded cluster only")
    _answer(options, data, lines)


@keys.command()
@click.option("--out", type=click.Path(path_type=Path), help="The file (default: keys/<cluster>.agekey.age).")
@click.pass_obj
def backup(options: Options, out: Path | None) -> None:
    """Protect the key by a passphrase, in a file that plain `age -d` opens too."""
    ws, config = _cluster(options)
    found = age.find_key(ws, config)
    path = custody.back_up(ws, found, age.ask_passphrase("Passphrase for the backup", twice=True), out)
    _answer(
        options,
        {"file": str(path), "recipients": found.recipients},
        [f"wrote      {path}", f"back again blackstart --cluster {ws.cluster} keys restore {path}"],
    )


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore(options: Options, file: Path) -> None:
    """Put the key of a backup where it belongs."""
    ws = _workspace(options)
    found, written = custody.restore(ws, file)
    target = f"keys/{ws.cluster}.agekey"
    said = f"wrote      {target}" if written else f"{target} has this key already"
    _answer(options, {"file": target, "recipients": found.recipients, "written": written}, [said])


@keys.command()
@click.pass_obj
def verify(options: Options) -> None:
    """Is the key in the running cluster the right one, does it open every file at the deployed commit."""
    from blackstart.keys.verify import verify as look
    from blackstart.tools.kubernetes import Cluster

    ws, config = _cluster(options)
    found = age.find_key(ws, config)
    verdict = look(ws, found, Cluster(ws.kubeconfig, timeout=config.timeouts.api))
    lines = [f"deployed   {verdict.commit[:7] or 'nothing'}"]
    lines += [f"expected   {one}" for one in verdict.expected]
    lines += [f"in cluster {one}" for one in verdict.live or ("nothing",)]
    lines += [f" {'✘' if one.problem else '✔'} {one.name}" for one in verdict.files]
    lines += [f"problem    {one}" for one in verdict.problems]
    opened = sum(not one.problem for one in verdict.files)
    _answer(options, verdict.to_json(), [*lines, f"opens      {opened} of {len(verdict.files)} secrets"])
    if not verdict.ok:
        click.get_current_context().exit(KeyProblem.exit_code)


@keys.command()
@click.option("--commit", is_flag=True, help="Commit the changes; without it they are shown, and the next run goes on.")
@click.option("--git", "of_git", is_flag=True, help="The Git credentials instead of the Age key.")
@click.option("--dry-run", is_flag=True, help="Print the steps and stop.")
@click.pass_obj
def rotate(options: Options, commit: bool, of_git: bool, dry_run: bool) -> None:
    """A new key in place of the old one; the cluster can decrypt at every moment. Again: it goes on."""
    from blackstart import recipes
    from blackstart.cli.running import carry_out
    from blackstart.steps.rotate import CommitNeeded

    recipe = recipes.rotate_git if of_git else partial(recipes.rotate, commit=commit)
    if dry_run:
        click.echo(recipes.printed(recipe(_cluster(options)[1])))
        return
    try:
        carry_out(options, "keys rotate", recipe)
    except CommitNeeded as needed:
        _answer(options, {"diff": needed.diff}, [needed.diff])
        raise
    if not of_git:
        _tell_exposed(options, age.find_key(*_cluster(options)))


def _tell_exposed(options: Options, key: age.FoundKey) -> None:
    """A key cannot be revoked: what it opened once is known to whoever had it."""
    from blackstart.keys.rotation import exposed

    found = exposed(options.root, key)
    lines = ["Who had the old key may know these values, also after the rotation. Change them:"]
    lines += [f"  {one.file}: {', '.join(one.values)}" for one in found]
    data = {"recipients": key.recipients, "exposed": [{"file": one.file, "values": one.values} for one in found]}
    _answer(options, data, lines)


@keys.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--install", is_flag=True, help="Write .git/hooks/pre-commit.")
@click.pass_obj
def guard(options: Options, files: tuple[str, ...], install: bool) -> None:
    """Refuse to commit a private key, a Secret in clear, a file encrypted to the wrong people (a pre-commit hook)."""
    from blackstart.keys import guard as guarding

    if install:
        path = guarding.install(options.root)
        _answer(options, {"hook": str(path)}, [f"wrote      {path}"])
        return
    found = guarding.look(options.root, files)
    data = {"findings": [{"file": one.file, "problem": one.problem, "hint": one.hint} for one in found]}
    _answer(options, data, [f"{one.file}: {one.problem}\n  Hint  {one.hint}" for one in found])
    if found:
        click.get_current_context().exit(KeyProblem.exit_code)


def fingerprint(recipient: str) -> str:
    """Short enough to read aloud: the beginning of the recipient's sha256."""
    digest = hashlib.sha256(recipient.encode()).hexdigest()[:16]
    return ":".join(digest[place : place + 4] for place in range(0, 16, 4))


def _workspace(options: Options) -> Workspace:
    if len(options.clusters) != 1:
        raise click.UsageError("this command is about one cluster: give --cluster once")
    return Workspace(options.root, options.clusters[0])


def _cluster(options: Options) -> tuple[Workspace, ClusterConfig]:
    ws = _workspace(options)
    return ws, load(ws.root, ws.cluster)


def _answer(options: Options, data: dict[str, Any], lines: list[str]) -> None:
    if options.output == "json":
        click.echo(json.dumps(data))
    elif lines:
        click.echo("\n".join(lines))
