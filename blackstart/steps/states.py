"""States are backed up before anybody touches them; what a killed run left is pushed back."""

from __future__ import annotations

import re
from pathlib import Path

from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError, CommandFailed, Locked, ToolFailed
from blackstart.steps.identity import kept_mark, recorded_mark
from blackstart.steps.run import Run
from blackstart.synth import Stack
from blackstart.tools.terraform import State, Terraform, parse_state

KEPT = 20
HEAD = re.compile(r'"serial":\s*(\d+),\s*"lineage":\s*"([^"]+)"')


def read_state_text(run: Run, stack: Stack, terraform: Terraform) -> str:
    """A stack's state as it is kept, from the file or from the backend; empty when there is none."""
    if run.config.state.backend == "local":
        file = run.ws.state(stack.id)
        return file.read_text() if file.is_file() else ""
    return terraform.pull_text()


def read_state(run: Run, stack: Stack, terraform: Terraform) -> State | None:
    """A stack's state. Raises ToolFailed when it is not whole."""
    try:
        return parse_state(read_state_text(run, stack, terraform))
    except ValueError as error:
        raise ToolFailed(f"the state of {stack.id} is not whole: {error}", hint="blackstart recover") from None


def back_up(run: Run, stack: str, text: str) -> None:
    """Keep a state before it changes, mode 0600, serial and lineage in the name; the last 20 are kept."""
    if not text.strip():
        return
    try:
        state = parse_state(text)
        mark = f"{state.serial:06d}.{state.lineage}" if state else "000000.empty"
    except ValueError:
        mark = f"broken.{run.folder.name}"
    write_private(run.ws.backups / f"{stack}.{mark}.tfstate", text)
    kept = sorted(run.ws.backups.glob(f"{stack}.*.tfstate"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-KEPT]:
        old.unlink()


def best_backup(run: Run, stack: str, broken: str) -> Path | None:
    """The newest whole backup of the same lineage that a state which is cut off can be replaced by, or None.

    Its serial is not above the broken one's, and an older one must record the identity that we keep: a backup from
    before a recovery belongs to the cluster that was lost. Terraform writes serial and lineage first.
    """
    head = HEAD.search(broken)
    if head is None:
        return None
    serial, lineage = int(head[1]), head[2]
    found: list[tuple[int, Path]] = []
    for path in [*run.ws.backups.glob(f"{stack}.*.tfstate"), run.ws.state(stack).with_suffix(".tfstate.backup")]:
        state = _whole(path)
        if state is None or state.lineage != lineage or state.serial > serial:
            continue
        if state.serial == serial or recorded_mark(state) in (None, kept_mark(run.ws)):
            found.append((state.serial, path))
    return max(found)[1] if found else None


def _whole(path: Path) -> State | None:
    try:
        return parse_state(path.read_text())
    except (OSError, ValueError):
        return None


def push_errored(run: Run, stack: Stack, terraform: Terraform) -> None:
    """Push back `errored.tfstate`, which terraform leaves when it could not write its state (issue 4)."""
    left = stack.folder / "errored.tfstate"
    if not left.is_file():
        return
    back_up(run, stack.id, read_state_text(run, stack, terraform))
    back_up(run, f"{stack.id}.errored", left.read_text())
    try:
        terraform.push(left)
    except Locked as error:  # that run died while it held the lock
        what = f"{left} holds what an earlier run could not write, and {error.message}"
        raise Locked(what, hint=f"{error.hint}; then: blackstart up") from None
    except BlackstartError as error:
        said = error.tail if isinstance(error, CommandFailed) else error.message
        raise ToolFailed(
            f"{left} holds what an earlier run could not write, and the backend refuses it: {said}",
            hint=f"compare it with the backups in {run.ws.backups}; then push or remove it",
        ) from None
    left.unlink()
    run.progress.warning(f"{stack.id}: the state that an earlier run could not write was pushed back")
