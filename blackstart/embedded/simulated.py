"""What was simulated for a cluster without real pods: kept in `simulated.json`, said in each run and its report."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Literal

from blackstart.config.workspace import write_private

Kind = Literal["webhooks", "crds", "missing-crds", "volumes", "addresses"]
SENTENCES: dict[Kind, str] = {
    "webhooks": "failurePolicy is Ignore here, not Fail, since only simulated pods are behind its Service: webhook {}",
    "crds": "applied in place of the operator that does not run here: CRDs of {}",
    "missing-crds": "no operator runs here to register them, and their source cannot be had: CRDs of {}",
    "volumes": "bound to simulated volumes: {}",
    "addresses": "given simulated load balancers, with addresses of ip_pool: {}",
}
ALOUD: tuple[Kind, ...] = ("webhooks", "missing-crds")


class Simulated:
    """By kind: the name of what was simulated, and how. Safe among threads; a restart goes on with what was said."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._said = _read(file)

    def say(self, kind: Kind, name: str, how: str) -> None:
        """Keep it, whole or not at all."""
        self._set(kind, {**self._said.get(kind, {}), name: how})

    def unsay(self, kind: Kind, name: str) -> None:
        """It is no longer so."""
        self._set(kind, {known: how for known, how in self._said.get(kind, {}).items() if known != name})

    def _set(self, kind: Kind, named: dict[str, str]) -> None:
        with self._lock:
            if self._said.get(kind, {}) != named:
                self._said[kind] = named
                write_private(self._file, json.dumps(self._said, indent=1, sort_keys=True) + "\n")


def sentences(file: Path, *, aloud: bool) -> list[str]:
    """One for each kind of which something was simulated: those a run says `aloud`, or those only its report has."""
    said = _read(file)
    kinds = [kind for kind in SENTENCES if said.get(kind) and (kind in ALOUD) == aloud]
    return [SENTENCES[kind].format(", ".join(f"{name} ({how})" for name, how in said[kind].items())) for kind in kinds]


def _read(file: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads(file.read_text())) if file.is_file() else {}
