"""What a "host" of the test bed runs instead of k3s's installer and uninstaller.

The API is real: a server starts the embedded control plane (one for all servers; its etcd has one member). Nodes are
objects that kwok keeps Ready. Units, journal and binary are files in the host's folder (bed.py writes the programs that
read them; kubectl.py is `k3s kubectl`, control.py saves and restores snapshots). Everything that changes is recorded in
the bed's `events`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kubectl

HOST = Path(os.environ["BED_HOST"])
CONTROL = Path(os.environ["BED_CONTROL"])
BIN, DATA = Path(os.environ["INSTALL_K3S_BIN_DIR"]), Path(os.environ["K3S_DATA_DIR"])
K3S = """\
case $1 in
--version) echo "k3s version $(cat "$BED_HOST/version") (stand-in)" ;;
kubectl) shift && exec "$BED_PYTHON" -I -S "$BED_STAND_INS/kubectl.py" "$@" ;;
server) shift && exec "$BED_PYTHON" -S "$BED_STAND_INS/stand_in.py" reset "$@" ;;
etcd-snapshot) exec "$BED_PYTHON" -S "$BED_STAND_INS/stand_in.py" snapshot "$4" ;;
esac"""
UNINSTALL = 'exec "$BED_PYTHON" -S "$BED_STAND_INS/stand_in.py" uninstall'
UNIT, VERSION, JOURNAL = HOST / "unit", HOST / "version", HOST / "journal"


def record(event: str) -> None:
    with (CONTROL / "events").open("a") as file:
        file.write(f"{event}\n")


def journal(line: str) -> None:
    with JOURNAL.open("a") as file:
        file.write(f"{HOST.name} k3s[1]: {line}\n")


def die(reason: str) -> None:
    journal(reason)
    sys.exit(f"[ERROR] {reason}")


def program(name: str, text: str) -> None:
    path = BIN / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def install() -> None:
    kind, version = os.environ["INSTALL_K3S_EXEC"], os.environ["INSTALL_K3S_VERSION"]
    config = json.loads(Path(os.environ["K3S_CONFIG_FILE"]).read_text())
    fault = HOST / "fault"
    if fault.exists() and fault.read_text() == "before":
        die("curl: (23) Failure writing output to destination: No space left on device")
    program("k3s", K3S)
    program("k3s-uninstall.sh" if kind == "server" else "k3s-agent-uninstall.sh", UNINSTALL)
    VERSION.write_text(version)
    if os.environ.get("INSTALL_K3S_SKIP_START") == "true":
        return
    if fault.exists() and fault.read_text() == "half":
        die('level=fatal msg="starting kubernetes: preparing server: the disk is slow"')
    while fault.exists() and fault.read_text() == "hangs":
        (HOST / "hanging").touch()
        time.sleep(0.05)
    token = token_of(Path(config["token-file"]))
    (CONTROL / "token").exists() or (CONTROL / "token").write_text(token)
    if token != (CONTROL / "token").read_text():
        die('level=fatal msg="token is not valid: the server has another one"')
    if kind == "server":
        start_server(config)
    elif not kubectl.made():
        die(f'level=error msg="{config["server"]} does not answer"')
    join(config["node-name"], version)
    UNIT.write_text("k3s" if kind == "server" else "k3s-agent")
    record(f"install {kind} {config['node-name']} {version}")
    if fault.exists() and fault.read_text() == "dies":
        os.kill(int((HOST / "sshd.pid").read_text()), signal.SIGKILL)


def token_of(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        die(f"{path} is open to others")
    return path.read_text()


def start_server(config: dict[str, Any]) -> None:
    if config.get("cluster-init") and kubectl.made() and not (DATA / "server" / "db").exists():
        die("a second cluster would be founded beside the first")
    if not kubectl.made():
        if "server" in config:
            die(f"{config['server']} does not answer")
        control("start")
    (DATA / "server" / "db").mkdir(parents=True, exist_ok=True)
    Path(os.environ["K3S_KUBECONFIG_OUTPUT"]).write_text((CONTROL / "kubeconfig").read_text())


def join(name: str, version: str) -> None:
    (DATA / "agent").mkdir(parents=True, exist_ok=True)
    (DATA / "agent" / "kubelet.kubeconfig").write_text("{}")
    if not kubectl.register(name, version):
        journal(f'level=error msg="{name} is known by another node password"')
        (HOST / "refused").write_text(f"{name} {version}")


def reset(options: list[str]) -> None:
    """`k3s server --cluster-reset`: the data of a snapshot, with this server as its only member."""
    given = dict(option.removeprefix("--").partition("=")[::2] for option in options)
    assert "cluster-reset" in given
    if (DATA / "server" / "db" / "reset-flag").exists():
        die("the cluster was reset before, and its flag is there")
    done = control("restore", given["cluster-reset-restore-path"], given["token-file"], check=False)
    if done.returncode:
        die(done.stderr.strip())
    (DATA / "server" / "db").mkdir(parents=True)
    (DATA / "server" / "db" / "reset-flag").touch()
    record(f"restore {HOST.name}")


def snapshot(name: str) -> None:
    """`k3s etcd-snapshot save --name NAME`."""
    folder = DATA / "server" / "db" / "snapshots"
    folder.mkdir(exist_ok=True)
    control("save", str(folder / name))


def control(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    argv = [os.environ["BED_PYTHON"], os.environ["BED_STAND_INS"] + "/control.py", *words]
    return subprocess.run(argv, check=check, stderr=None if check else subprocess.PIPE, text=True)


def uninstall() -> None:
    name = json.loads(Path(os.environ["K3S_CONFIG_FILE"]).read_text())["node-name"]
    for path in (UNIT, VERSION, *BIN.glob("k3s*")):
        path.unlink(missing_ok=True)
    (HOST / "etc" / "node-password").unlink(missing_ok=True)
    shutil.rmtree(DATA)
    DATA.mkdir()
    record(f"uninstall {name}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            install()
        case ["uninstall"]:
            uninstall()
        case ["reset", *options]:
            reset(options)
        case ["snapshot", name]:
            snapshot(name)
