"""Loopback ports of an embedded cluster, in one block outside the range that outgoing connections use."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable

from blackstart.errors import ConfigError

Ports = dict[str, int]

NAMES = (
    *("kube-apiserver", "etcd", "etcd-peer", "kube-controller-manager", "kube-scheduler", "kwok"),
    *("source-controller/storage", "source-controller/metrics", "source-controller/health"),
    *("kustomize-controller/metrics", "kustomize-controller/health"),
    *("helm-controller/metrics", "helm-controller/health"),
)
FIRST, BLOCK, BLOCKS = 10_000, 16, 625


def is_free(port: int) -> bool:
    """Whether somebody could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(seed: str, free: Callable[[int], bool] = is_free) -> Ports:
    """A port for each of `NAMES`: the first free block, looking from a place that `seed` decides.

    Two clusters that are made at the same moment have different seeds, so they hardly ever try the same block.
    Raises ConfigError when no block is free.
    """
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for step in range(BLOCKS):
        base = FIRST + (start + step) % BLOCKS * BLOCK
        block = range(base, base + len(NAMES))
        if all(free(port) for port in block):
            return dict(zip(NAMES, block, strict=True))
    raise ConfigError(
        f"no {len(NAMES)} free ports in a row between {FIRST} and {FIRST + BLOCK * BLOCKS}",
        hint="see who listens there: ss -ltnp",
    )
