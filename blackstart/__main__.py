"""The entry: runs the command line; the only place where an error becomes an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from itertools import pairwise

import click

from blackstart.errors import BlackstartError, CommandFailed, ToolFailed

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ROOM = "free some space, then the same command again: what was done is kept"


def main() -> None:
    """Run `blackstart`; exit codes are those of design, section 4."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended politely, a run tidies up as after a Ctrl-C
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command line to its exit code."""
    from blackstart.cli import main as group

    try:
        code = group.main(args=args, prog_name="blackstart", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BlackstartError as error:
        return _shown(error, args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in FULL:
            return _bug()
        full = ToolFailed(f"nothing can be written: {error.strerror} ({error.filename or 'a file'})", hint=ROOM)
        return _shown(full, args)
    except Exception:
        return _bug()


def _bug() -> int:
    """Nobody expected this: the traceback, for a report, without secrets."""
    from blackstart.tools.process import redact

    click.echo(redact(traceback.format_exc()), err=True)
    return 1


def _shown(error: BlackstartError, args: list[str]) -> int:
    from blackstart.show import addressed, show_error
    from blackstart.tools.process import redact

    if "--debug" in args:
        click.echo(redact(traceback.format_exc()), err=True)
    error.hint = addressed(error.hint, _cluster(args))
    show_error(error, step=error.step, seconds=error.seconds if isinstance(error, CommandFailed) else None)
    return error.exit_code


def _cluster(args: list[str]) -> str:
    """The one cluster that a command line names; blank for none and for many."""
    words = " ".join(args).replace("--cluster=", "--cluster ").split()
    named = {after for word, after in pairwise(words) if word == "--cluster"}
    return named.pop() if len(named) == 1 else ""


if __name__ == "__main__":
    main()
