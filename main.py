"""The cdktf app: `clusters/<name>.yaml` in, `cdktf.out` out; `BLACKSTART_CLUSTER` is a name, or `*` for all."""

import os
import sys
from pathlib import Path

from blackstart.config import names
from blackstart.errors import BlackstartError
from stacks import build

if __name__ == "__main__":
    root = Path.cwd()  # of a repository without stacks of its own, this file is called from another place
    wanted = os.environ.get("BLACKSTART_CLUSTER", "local")
    try:
        build(root, names(root) if wanted == "*" else [wanted], Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out")))
    except BlackstartError as error:
        sys.exit(f"{error.message}\nHint: {error.hint}")
