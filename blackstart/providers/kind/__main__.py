"""`python -m blackstart.providers.kind ACTION --cluster NAME`, in the repository's root: for Terraform."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from blackstart.config import Workspace, load
from blackstart.errors import BlackstartError
from blackstart.providers.kind import KindProvider
from blackstart.show import render_error


def main() -> int:
    """Do one action; the exit code is that of the design, section 4."""
    parser = argparse.ArgumentParser(prog="python -m blackstart.providers.kind")
    parser.add_argument("action", choices=["create", "wait", "delete"])
    parser.add_argument("--cluster", required=True)
    chosen = parser.parse_args()
    ws = Workspace(Path.cwd(), chosen.cluster)
    try:
        provider = KindProvider(ws, load(ws.root, ws.cluster))
        {"create": provider.create, "wait": provider.wait, "delete": provider.delete}[chosen.action]()
    except BlackstartError as error:
        print(render_error(error), file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
