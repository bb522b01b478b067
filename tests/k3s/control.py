"""The control plane behind the servers of the test bed: the embedded one."""

import json
import os
from pathlib import Path

from blackstart.config import Workspace
from blackstart.embedded import control_plane
from blackstart.embedded.place import Place
from blackstart.providers.readiness import answers

if __name__ == "__main__":
    control = Path(os.environ["BED_CONTROL"])
    place = Place(Workspace(control, "bed"))
    control_plane.create(place)
    text = control_plane.kubeconfig(place)
    place.kubeconfig.write_text(text)
    answers(place.kubeconfig, 120, hint="")
    (control / "kubeconfig").write_text(text)
    pki = place.cluster / "pki"
    files = {name: str(pki / file) for name, file in (("ca", "ca.crt"), ("cert", "admin.crt"), ("key", "admin.key"))}
    (control / "api.json").write_text(json.dumps({"port": place.ports()["kube-apiserver"], **files}))
