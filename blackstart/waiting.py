"""The only place that waits: it watches, evaluates a gate on each change, and gives up at a deadline."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from blackstart.errors import BlackstartError, GateBroken, GateTimeout
from blackstart.gates import Broken, Gate, Key, Object, Ready, Snapshot, Waiting, key_of
from blackstart.tools.kubernetes import Cluster

RETRY_SECONDS = 1.0
STATUS = "blackstart status"


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind that is watched, in one namespace or (blank) in all."""

    kind: str
    namespace: str = ""


class Watch:
    """A live snapshot: one thread a kind lists, then follows the watch, again after each break."""

    def __init__(self, cluster: Cluster, kinds: Sequence[Watched]) -> None:
        self._cluster = cluster
        self._changes: queue.Queue[tuple[Key, Object | None]] = queue.Queue()
        self._stopped = threading.Event()
        self._listed = {watched.kind: threading.Event() for watched in kinds}
        self.objects: dict[Key, Object] = {}
        self.trouble = ""
        for watched in kinds:
            threading.Thread(target=self._follow, args=(watched,), daemon=True).start()

    def snapshots(self, deadline: float) -> Iterator[Snapshot]:
        """The snapshot after each burst of changes, until `deadline` (of time.monotonic)."""
        for listed in self._listed.values():
            listed.wait(max(0.0, deadline - time.monotonic()))
        self._drain()
        while True:
            yield self.objects
            left = deadline - time.monotonic()
            if left <= 0:
                return
            try:
                self._take(*self._changes.get(timeout=left))
            except queue.Empty:
                return
            self._drain()

    def stop(self) -> None:
        """Let the threads end."""
        self._stopped.set()

    def _drain(self) -> None:
        while True:
            try:
                self._take(*self._changes.get_nowait())
            except queue.Empty:
                return

    def _take(self, key: Key, thing: Object | None) -> None:
        if thing is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = thing

    def _follow(self, watched: Watched) -> None:
        known: set[Key] = set()
        while not self._stopped.is_set():
            try:
                known = self._list_and_watch(watched, known)
                self.trouble = ""
            except BlackstartError as error:
                self.trouble = error.message
                self._stopped.wait(RETRY_SECONDS)

    def _list_and_watch(self, watched: Watched, before: set[Key]) -> set[Key]:
        found, version = self._cluster.list_at(watched.kind, watched.namespace)
        present = {key_of(watched.kind, thing): thing for thing in found}
        for key in before - set(present):
            self._changes.put((key, None))
        for key, thing in present.items():
            self._changes.put((key, thing))
        self._listed[watched.kind].set()
        if not version:  # the kind is not known yet: its CRD comes with Flux
            self._stopped.wait(RETRY_SECONDS)
            return set(present)
        known = set(present)
        for change in self._cluster.watch(watched.kind, watched.namespace, since=version):
            if self._stopped.is_set():
                break
            key = key_of(watched.kind, change.object)
            gone = change.type == "DELETED"
            self._changes.put((key, None if gone else change.object))
            known = known - {key} if gone else known | {key}
        return known


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for: a name for messages, the kinds that are watched, `timeout` in seconds."""

    what: str
    kinds: tuple[Watched, ...]
    timeout: float
    hint: str = STATUS


def wait_for(
    cluster: Cluster, wait: Wait, gate: Gate, on_waiting: Callable[[str], None] = lambda _: None
) -> tuple[Ready, Snapshot]:
    """Watch until the gate is Ready; `on_waiting` hears each new reason.

    Raises GateBroken when the gate is broken, GateTimeout after `wait.timeout` with the last reason.
    """
    watch = Watch(cluster, wait.kinds)
    last = Waiting("nothing seen yet")
    try:
        for snapshot in watch.snapshots(time.monotonic() + wait.timeout):
            match gate(snapshot):
                case Ready() as ready:
                    return ready, dict(snapshot)
                case Broken(reason):
                    raise GateBroken(f"{wait.what}: {reason}", hint=wait.hint)
                case Waiting(reason) as last:
                    on_waiting(reason)
    finally:
        watch.stop()
    reason = watch.trouble or last.reason
    raise GateTimeout(f"{wait.what} not Ready after {wait.timeout:.0f}s: {reason}", hint=wait.hint)
