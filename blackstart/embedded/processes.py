"""The running processes of an embedded cluster, found by the mark in their environment, and how they are ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import psutil

from blackstart.embedded.place import MARK, Place

LAST = "etcd"
PATIENCE = 10.0
"""Seconds a process has to end by itself."""


def running(place: Place) -> list[psutil.Process]:
    """Every process of this cluster, orphans too. No recorded pid is trusted: after a reboot it may be another."""
    # psutil.process_iter would remember the executable that a controller had before it became one.
    return [process for pid in psutil.pids() if (process := _marked(pid, str(place.folder)))]


def names(place: Place) -> dict[str, int]:
    """The pid of each running program of this cluster, by the name of its executable."""
    return {_name(process): process.pid for process in running(place)}


def named(place: Place, name: str) -> psutil.Process | None:
    """The program with this executable, if it runs."""
    return next((process for process in running(place) if _name(process) == name), None)


def supervisor(place: Place) -> psutil.Process | None:
    """The supervisor, if it runs."""
    return next((process for process in running(place) if str(place.supervisor) in _arguments(process)), None)


def end(place: Place, *, keep_data: bool = True) -> None:
    """Kill the supervisor, then everything: only etcd keeps data, and with `keep_data` it may close its files."""
    chief = supervisor(place)
    if chief:
        _kill([chief])
    _kill([process for process in running(place) if not (keep_data and _name(process) == LAST)])
    _end(running(place))
    for left in place.folder.glob("*.sock"):
        left.unlink(missing_ok=True)


def end_orphans(place: Place, kept: Iterable[str]) -> None:
    """Kill what a supervisor that is no more has left, but the programs named `kept`; with a supervisor do nothing."""
    if supervisor(place) is None:
        _kill([process for process in running(place) if _name(process) not in kept])


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _quietly(process.kill)
    psutil.wait_procs(processes, timeout=PATIENCE)


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _quietly(process.terminate)
    _, stubborn = psutil.wait_procs(processes, timeout=PATIENCE)
    _kill(stubborn)


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return


def _marked(pid: int, mark: str) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        ours = process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return None
    return process if ours else None


def _arguments(process: psutil.Process) -> Iterable[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return ()


def _name(process: psutil.Process) -> str:
    """The kernel cuts a process's own name after 15 characters; its executable's is whole."""
    try:
        return process.exe().rpartition("/")[2]
    except psutil.Error:
        return ""
