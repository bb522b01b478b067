"""Ports that two sides must know without asking each other."""

from __future__ import annotations

import hashlib
import os

FIRST, COUNT = 20_000, 10_000


def git_port(cluster: str) -> int:
    """The loopback port where the commit of `cluster` is served when `git.url` is `worktree`.

    Derived from the name alone, so that stacks are the same bytes in every checkout; `BLACKSTART_GIT_PORT` overrides
    it where two checkouts run clusters of one name.
    """
    chosen = os.environ.get("BLACKSTART_GIT_PORT")
    if chosen:
        return int(chosen)
    digest = hashlib.sha256(cluster.encode()).digest()
    return FIRST + int.from_bytes(digest[:4], "big") % COUNT
