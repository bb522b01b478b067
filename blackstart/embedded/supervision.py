"""The supervisor (supervisord) of one cluster: it keeps the Git server, the keeper and the Flux controllers running.

It has no port, only a socket in its folder. The socket is addressed through the working directory, since the
kernel allows 107 bytes for its path and a checkout may lie deep.
"""

from __future__ import annotations

import sys
import xmlrpc.client
from pathlib import Path
from typing import Any

import blackstart
from blackstart.config.workspace import write_private
from blackstart.embedded import processes
from blackstart.embedded.place import Place
from blackstart.tools.process import Command, run

SOCKET = "/proc/self/cwd/supervisor.sock"
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
STOPPED, RUNS_OR_WILL = ("STOPPED", "EXITED", "FATAL", "UNKNOWN"), ("STARTING", "RUNNING", "BACKOFF")


def configuration(place: Place) -> str:
    """The text of supervisord.conf (http://supervisord.org/configuration.html)."""
    chosen = f"--root {_quoted(place.ws.root)} --cluster {place.ws.cluster}"
    programs = [
        _program(place, "git-server", f"blackstart.embedded.git_server {chosen}", autostart=True),
        _program(place, "keeper", f"blackstart.embedded.keeper {chosen}", autostart=True),
    ]
    for name in CONTROLLERS:
        module = f"blackstart.embedded.controllers {chosen} --controller {name}"
        programs.append(_program(place, name, module, autostart=False))
    folder = _escaped(place.folder)
    head = f"""\
[supervisord]
logfile={folder}/logs/supervisord.log
pidfile={folder}/supervisord.pid
umask=077
[unix_http_server]
file={SOCKET}
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(programs)


def start(place: Place) -> None:
    """Start the supervisor as a daemon of its own, unless it runs."""
    if processes.supervisor(place):
        return
    write_private(place.supervisor, configuration(place))
    argv = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(place.supervisor)]
    environment = {**place.environment(), "PYTHONPATH": str(Path(blackstart.__file__).parents[1])}
    run(Command(argv, cwd=place.folder, env=environment, timeout=60, log=place.logs / "supervisor-start.log"))


class Supervisor:
    """What the keeper asks of the supervisor; only from a process whose working directory is the cluster's folder."""

    def __init__(self) -> None:
        from supervisor.xmlrpc import SupervisorTransport  # the keeper alone needs it

        transport = SupervisorTransport(None, None, f"unix://{SOCKET}")
        self._rpc: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def state(self, name: str) -> str:
        """The state of a program, such as RUNNING (http://supervisord.org/subprocess.html#process-states)."""
        return str(self._rpc.getProcessInfo(name)["statename"])

    def start(self, name: str) -> None:
        """Start a program unless it runs or is about to."""
        if self.state(name) in STOPPED:
            self._rpc.startProcess(name, False)

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end."""
        if self.state(name) in RUNS_OR_WILL:
            self._rpc.stopProcess(name, True)


def _program(place: Place, name: str, module: str, *, autostart: bool) -> str:
    return f"""\
[program:{name}]
command={_quoted(sys.executable)} -m {module}
directory={_escaped(place.folder)}
autostart={str(autostart).lower()}
autorestart=true
startsecs=1
startretries=1000000
stopwaitsecs={int(processes.PATIENCE)}
redirect_stderr=true
stdout_logfile={_escaped(place.logs)}/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


def _escaped(path: Path) -> str:
    """supervisord expands `%(name)s` in values."""
    return str(path).replace("%", "%%")


def _quoted(path: Path | str) -> str:
    return '"' + str(path).replace("%", "%%").replace('"', '\\"') + '"'
