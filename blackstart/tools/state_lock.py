"""Locks of Terraform states: who holds one, and whether one that was left is ours and its process dead (issue 4).

Terraform tells the ID of its lock only when something fails, and the ID is what proves a lock to be ours. So while a
terraform of ours runs, its backend is asked who holds the lock, and the answer is kept in the run's log.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil

from blackstart.errors import Locked

LOG = "locks.jsonl"
REFUSED = "Error acquiring the state lock"
LOOK_SECONDS = 2.0
SAME_START = 2.0
"""Seconds that two readings of one process's start may differ (the clock is set meanwhile)."""
CREDENTIALS = ("username", "password")
TLS = {"skip_cert_verification", "client_ca_certificate_pem", "client_certificate_pem", "client_private_key_pem"}


Backend = Mapping[str, Mapping[str, Any]]
"""A backend's name and its settings, as in a stack's configuration."""


@dataclass(frozen=True, slots=True)
class LockLog:
    """The locks that runs took: `<runs>/<id>/locks.jsonl`; `folder` is this run's, `told` hears of a release."""

    runs: Path
    folder: Path
    told: Callable[[str], None]

    def look(self, backend: Backend, pid: int) -> None:
        """Keep the lock that process `pid` holds; only the http backend can be asked."""
        if "http" in backend:
            mine = _request_of_ours()
            self._keep(mine, os.getpid())  # before it is asked for: whoever kills us leaves no lock without an owner
            held = holder(backend["http"], mine)
            if held:
                self._keep(held, pid)

    def release(self, backend: Backend, lock: str) -> bool:
        """Release a lock that a run of ours took whose process is proven dead; whether that was so."""
        taken = [one for one in self._taken() if one["lock"].get("ID") == lock]
        if "http" not in backend or not taken or any(map(_may_live, taken)):
            return False
        return unlock(backend["http"], taken[-1]["lock"])

    def _keep(self, lock: Mapping[str, str], pid: int) -> None:
        try:
            started = psutil.Process(pid).create_time()
            line = json.dumps({"lock": lock, "pid": pid, "started": started, "where": _where()})
            handle = os.open(self.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(line + "\n")
        except (OSError, psutil.NoSuchProcess):  # a full disk costs the record, not the run
            return

    def _taken(self) -> Iterator[dict[str, Any]]:
        for path in self.runs.glob(f"*/{LOG}"):
            for line in path.read_text().splitlines():
                try:
                    yield json.loads(line)
                except ValueError:  # cut off by a kill
                    continue


def holder(settings: Mapping[str, str], mine: Mapping[str, str]) -> Mapping[str, str] | None:
    """The info of the lock on a state behind terraform's http backend; None when it is free, or nobody tells.

    The protocol (developer.hashicorp.com/terraform/language/backend/http) has no question for it: a lock is asked
    for with the info `mine`, and refused with the holder's. One that is granted is given back at once.
    """
    answer = _send(settings, "lock", mine)
    if answer is None:
        return None
    if answer.is_success:
        unlock(settings, mine)
        return None
    try:
        info = answer.json() if answer.status_code in (409, 423) else {}
        return {name: str(value) for name, value in info.items()} if info.get("ID") else None
    except (ValueError, AttributeError):
        return None


def unlock(settings: Mapping[str, str], lock: Mapping[str, str]) -> bool:
    """Release a lock behind the http backend, by its info as its holder gave it; whether that was done.

    `terraform force-unlock` sends no ID there, and would release whatever lock is held by now.
    """
    answer = _send(settings, "unlock", lock)
    return answer is not None and answer.is_success


def _send(settings: Mapping[str, str], action: str, info: Mapping[str, str]) -> httpx2.Response | None:
    """Ask as terraform does; None where there are no locks, where they need certificates, or nobody answers."""
    if not settings.get("lock_address") or not settings.get("unlock_address") or TLS & settings.keys():
        return None
    user, password = (settings.get(name) or os.environ.get(f"TF_HTTP_{name.upper()}", "") for name in CREDENTIALS)
    method = settings.get(f"{action}_method", action.upper())
    auth = (user, password) if user else None
    try:
        with httpx2.Client(verify=ssl.create_default_context(), timeout=LOOK_SECONDS, auth=auth) as http:
            return http.request(method, settings[f"{action}_address"], json=dict(info))
    except httpx2.HTTPError:
        return None


def _request_of_ours() -> dict[str, str]:
    """Lock info, in terraform's words."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    who = f"{os.environ.get('USER', 'blackstart')}@{socket.gethostname()}"
    return {"ID": str(uuid.uuid4()), "Operation": "blackstart looks who holds it", "Who": who, "Created": now}


def refusal(tail: str, folder: Path) -> Locked | None:
    """The lock that terraform was refused, with its owner; the http and cloud backends tell an ID alone, and then
    show what terraform itself had asked for."""
    if REFUSED not in tail:
        return None
    held = re.search(r"already locked(?:: *\n?ID=(\S+)| \(lock ID: \"(\S+)\"\))", tail)
    info = dict(re.findall(r"^ *(ID|Who|Operation|Created): +(\S.*)$", tail, re.MULTILINE))
    lock = (held[1] or held[2]) if held else info.get("ID", "?")
    who, what, since = (info.get(name, "?") for name in ("Who", "Operation", "Created"))
    owner = "" if held else f", held by {who} ({what}, since {since})"
    return Locked(
        f"the state is locked: {lock}{owner}",
        hint=f"wait for it; only when that process is dead: terraform -chdir={folder} force-unlock {lock}",
        lock=lock,
    )


def _may_live(taken: Mapping[str, Any]) -> bool:
    """Not proven dead: it runs, or ran where we cannot look."""
    if taken.get("where") != _where():
        return True
    try:
        process = psutil.Process(int(taken["pid"]))
        same = abs(process.create_time() - float(taken["started"])) < SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _where() -> str:
    """This host, and in it the processes that can be seen (a container sees its own alone)."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()
