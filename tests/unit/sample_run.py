"""A run written by hand: the events of an `up` with three layers, for the tests of what people see."""

from __future__ import annotations

from blackstart.progress import Event

BEGAN = 1_795_478_880.0
HEADER = 'up · local (embedded) · commit 4f2c1ab "Pin <cert-manager> & friends"'


def event(elapsed: float, kind: str, step: str = "", status: str = "", reason: str = "") -> Event:
    """One event, `elapsed` seconds into the run."""
    return Event(BEGAN + elapsed, kind, step, status, reason, elapsed)


def step(elapsed: float, name: str, status: str, reason: str = "") -> Event:
    """One event of a step."""
    return event(elapsed, "step", name, status, reason)


STAGES = [
    event(0.0, "begin", reason=HEADER),
    step(0.0, "cluster", "started"),
    step(5.1, "cluster", "ready", "control plane v1.36.3, 1 node"),
    step(5.1, "sops-age", "started"),
    event(6.0, "warning", reason="the builtin providers put the key into the state (embedded only)"),
    step(7.1, "sops-age", "ready", "1 key, opens 7 of 7 secrets"),
    step(7.1, "flux", "started"),
    step(13.9, "flux", "ready", "2.9.4, 3 controllers, source main@4f2c1ab"),
    step(13.9, "layers", "started"),
    step(13.9, "layers/controllers", "waiting", "install in progress"),
    step(13.9, "layers/certs", "waiting", "after controllers"),
    step(13.9, "layers/apps", "waiting", "after certs"),
    step(14.2, "layers/controllers/HelmRelease/cilium", "waiting", "install in progress"),
    step(14.3, "layers/controllers/HelmRelease/cert-manager", "waiting", "install in progress"),
    step(14.4, "layers/controllers/HelmRelease/democratic-csi", "waiting", "install in progress"),
]
CONTROLLERS = [
    step(18.0, "layers/controllers/HelmRelease/cilium", "ready"),
    step(19.0, "layers/controllers/HelmRelease/cert-manager", "ready"),
    step(20.0, "layers/controllers/HelmRelease/democratic-csi", "ready"),
    step(20.4, "layers/controllers", "ready"),
    step(20.5, "layers/certs", "waiting", "ClusterIssuer/letsencrypt-staging: waiting for webhook"),
]
REST = [
    step(23.0, "layers/certs", "ready", "2 certificates"),
    step(23.0, "layers/apps", "waiting", "install in progress"),
    step(23.5, "layers/apps/HelmRelease/gitlab", "waiting", "install in progress"),
    step(23.6, "layers/apps/HelmRelease/monitoring", "waiting", "install in progress"),
    step(28.0, "layers/apps/HelmRelease/gitlab", "ready"),
    step(29.0, "layers/apps/HelmRelease/monitoring", "ready"),
    step(29.2, "layers/apps", "ready"),
    step(29.2, "layers", "ready", "3 layers"),
    event(29.2, "end", status="ready"),
]
UP = [*STAGES, *CONTROLLERS, *REST]
FAILED = [
    *STAGES,
    step(60.0, "layers/controllers", "failed", "not Ready after 45.0s"),
    step(60.0, "layers", "failed", "not Ready after 46.1s"),
    event(60.0, "end", status="failed"),
]
