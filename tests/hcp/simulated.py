"""`python -m tests.hcp.simulated CLUSTERS`: a fleet set up and its runs watched, against a peer that answers without
carrying anything out; prints what that cost as JSON. For `python -m bench hcp`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.tools.age import generate
from blackstart.tools.cloud_token import variable
from tests.hcp import tls
from tests.hcp.peer import TOKEN, Peer

STATES = ["pending", "planning", "policy_checking", "applying", "applied"]
PROJECT = Path(__file__).parents[2]
CLUSTER = """
cluster: {{provider: existing}}
git: {{url: 'https://git.example.test/ops.git', path: gitops/flux/clusters/one}}
sops: {{recipients: [{recipient}]}}
state: {{backend: cloud, cloud: {{hostname: '{hostname}', organization: acme, execution: remote}}}}
"""
LIMIT = 30  # requests a second, HCP's documented limit; what is above it gets a 429


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds of CPU, megabytes at its largest."""

    cpu: float
    rss: float


def blackstart(root: Path, peer: Peer, key: str, *args: str) -> Cost:
    """Run a command to its end, alone in its process."""
    access = {"KUBE_HOST": "https://k8s.example.test", "KUBE_TOKEN": "of-the-api", "KUBE_CLUSTER_CA_CERT_DATA": "PEM"}
    ours = {variable(peer.hostname): TOKEN, "SSL_CERT_FILE": str(peer.ca), "SOPS_AGE_KEY": key}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **access, **ours}
    pid = os.fork()
    if not pid:
        os.chdir(root)
        os.dup2(os.open(root / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
        os.execve(sys.executable, [sys.executable, "-m", "blackstart", *args], environment)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"blackstart {' '.join(args)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def make_runs(peer: Peer) -> None:
    """A run in each workspace, all of which go through the same states."""
    peer.store.versions["cv-1"] = {"status": "uploaded", "content": b""}
    for workspace in list(peer.store.workspaces.values()):
        peer.store.make_run(workspace, "cv-1", {}, list(STATES))


def busiest(times: Sequence[float]) -> int:
    """The most requests that came within one second."""
    first, most = 0, 0
    for last, at in enumerate(times):
        while times[first] < at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def measured(root: Path, peer: Peer, clusters: int) -> dict[str, float]:
    """Everything, in one go; half of the fleet is watched first, and one cluster of it."""
    key = generate()
    (root / "clusters").mkdir()
    for number in range(clusters):
        text = CLUSTER.format(recipient=key.recipients[0], hostname=peer.hostname)
        (root / "clusters" / f"{'ab'[number % 2]}{number:03d}.yaml").write_text(text)
    began = time.monotonic()
    setup = blackstart(root, peer, key.identities, "cloud", "setup", "--all")
    found = {"workspaces": float(len(peer.store.workspaces)), "setup_seconds": time.monotonic() - began}
    made = len(peer.times)
    blackstart(root, peer, key.identities, "cloud", "setup", "--all")
    found["again_requests_a_workspace"] = (len(peer.times) - made) / len(peer.store.workspaces)
    costs = []
    for match in (["--cluster", "a000"], ["--match", "a*"], ["--all"]):
        make_runs(peer)
        costs.append(blackstart(root, peer, key.identities, "cloud", "runs", "--wait", *match))
    one, half, whole = costs
    found["watched_cpu_seconds"] = whole.cpu
    found["whole_over_half_cpu"] = (whole.cpu - one.cpu) / (half.cpu - one.cpu)
    found["rss_mb"] = max(setup.rss, half.rss, whole.rss)
    found["requests_a_second"] = float(busiest(peer.times))
    found["refused"] = float(len(peer.failed))
    return found


def main() -> None:
    """Measure with as many clusters as the first argument says."""
    with tempfile.TemporaryDirectory(prefix="blackstart-hcp-") as folder:
        root = Path(folder)
        peer = Peer(*tls.make(root), Path("terraform"))
        peer.limit = LIMIT
        try:
            print(json.dumps(measured(root, peer, int(sys.argv[1]))))
        finally:
            peer.stop()


if __name__ == "__main__":
    main()
