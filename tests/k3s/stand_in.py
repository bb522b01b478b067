"""What a "host" of the test bed runs instead of k3s's installer and uninstaller.

The API is real: a server starts the embedded control plane (one for all servers; its etcd has one member). Nodes are
objects that kwok keeps Ready. Units, journal and binary are files in the host's folder (bed.py writes the programs that
read them; kubectl.py is `k3s kubectl`). Everything that changes is recorded in the bed's `events`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    if fault.exists():
        die('level=fatal msg="starting kubernetes: preparing server: the disk is slow"')
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
        argv = [os.environ["BED_PYTHON"], os.environ["BED_STAND_INS"] + "/control.py"]
        subprocess.run(argv, check=True)
    (DATA / "server" / "db").mkdir(parents=True, exist_ok=True)
    Path(os.environ["K3S_KUBECONFIG_OUTPUT"]).write_text((CONTROL / "kubeconfig").read_text())


def join(name: str, version: str) -> None:
    (DATA / "agent").mkdir(parents=True, exist_ok=True)
    (DATA / "agent" / "kubelet.kubeconfig").write_text("{}")
    if kubectl.node(name) is None:
        meta = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}}
        kubectl.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": meta})
    # kwok says which kubelet it plays; the version of ours is kept beside it.
    kubectl.patch(name, {"metadata": {"annotations": {"bed/version": version}}})


def uninstall() -> None:
    name = json.loads(Path(os.environ["K3S_CONFIG_FILE"]).read_text())["node-name"]
    for path in (UNIT, VERSION, *BIN.glob("k3s*")):
        path.unlink(missing_ok=True)
    if (DATA / "server" / "db").exists():
        (DATA / "server" / "db").rmdir()
    record(f"uninstall {name}")


if __name__ == "__main__":
    {"install": install, "uninstall": uninstall}[sys.argv[1]]()
