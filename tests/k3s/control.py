"""The control plane behind the servers of the test bed, the embedded one: `start`, `save FILE`, `restore FILE TOKEN`.

A snapshot is a cold copy of etcd's folder with the cluster's CA, for which etcd is stopped for a moment. Like k3s's it
opens with the server token alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from blackstart.config import Workspace
from blackstart.embedded import control_plane, processes
from blackstart.embedded.place import Place
from blackstart.providers.readiness import answers

CONTROL = Path(os.environ["BED_CONTROL"])
PLACE = Place(Workspace(CONTROL, "bed"))
LEFT_OUT = ("logs", "pids")


def start() -> None:
    control_plane.create(PLACE)
    text = control_plane.kubeconfig(PLACE)
    PLACE.kubeconfig.write_text(text)
    answers(PLACE.kubeconfig, 120, hint="")
    (CONTROL / "kubeconfig").write_text(text)
    pki = PLACE.cluster / "pki"
    files = {name: str(pki / file) for name, file in (("ca", "ca.crt"), ("cert", "admin.crt"), ("key", "admin.key"))}
    (CONTROL / "api.json").write_text(json.dumps({"port": PLACE.ports()["kube-apiserver"], **files}))


def save(file: Path) -> None:
    processes.end(PLACE)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for path in PLACE.cluster.iterdir():
            if path.name not in LEFT_OUT:
                archive.add(path, path.name)
    file.write_bytes(sealed((CONTROL / "token").read_text()).encrypt(packed.getvalue()))
    start()


def restore(file: Path, token: str) -> None:
    try:
        packed = sealed(token).decrypt(file.read_bytes())
    except InvalidToken:
        sys.exit('level=fatal msg="the snapshot is not whole, or was taken with another token"')
    processes.end(PLACE, keep_data=False)
    shutil.rmtree(PLACE.cluster, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        archive.extractall(PLACE.cluster, filter="tar")
    for name in LEFT_OUT:
        (PLACE.cluster / name).mkdir()


def sealed(token: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start"]:
            start()
        case ["save", file]:
            save(Path(file))
        case ["restore", file, token_file]:
            restore(Path(file), Path(token_file).read_text())
