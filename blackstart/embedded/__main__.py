"""`python -m blackstart.embedded ACTION --cluster NAME`, in the repository's root: for Terraform's provisioners."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

from blackstart.config import Workspace, load
from blackstart.embedded import lifecycle
from blackstart.errors import BlackstartError
from blackstart.show import render_error

CHANGES = {"create": lifecycle.create, "wait": lifecycle.wait, "start": lifecycle.start}
ENDS = {"stop": lifecycle.stop, "delete": lifecycle.delete}


def main() -> int:
    """Do one action; the exit code is that of the design, section 4."""
    parser = argparse.ArgumentParser(prog="python -m blackstart.embedded")
    parser.add_argument("action", choices=[*CHANGES, *ENDS, "status"])
    parser.add_argument("--cluster", required=True)
    chosen = parser.parse_args()
    # What kwokctl and its programs write is nobody else's either.
    os.umask(0o077)
    ws = Workspace(Path.cwd(), chosen.cluster)
    try:
        _act(ws, chosen.action)
    except BlackstartError as error:
        print(render_error(error), file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _act(ws: Workspace, action: str) -> None:
    if action in CHANGES:
        CHANGES[action](ws, load(ws.root, ws.cluster))
    elif action in ENDS:
        ENDS[action](ws)
    else:
        print(json.dumps(dataclasses.asdict(lifecycle.status(ws))))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
