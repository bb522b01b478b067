"""`k3s kubectl` of the test bed: the few commands that our scripts use, against the real API.

It evicts nothing: a drain only cordons. A node's version is the annotation that the stand-in of the installer wrote.
Like k3s it knows each node by a password, whose record goes with the Node.
The standard library alone, for it is started often.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import ssl
import sys
from pathlib import Path
from typing import Any

HOST, CONTROL = Path(os.environ["BED_HOST"]), Path(os.environ["BED_CONTROL"])
MERGE = "application/merge-patch+json"
PASSWORD = ".node-password.k3s"


def made() -> bool:
    """Whether a server has started the control plane."""
    return (CONTROL / "api.json").exists()


def ask(method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
    """One request; the answer's status and its text, read as JSON where it is that."""
    known = json.loads((CONTROL / "api.json").read_text())
    context = ssl.create_default_context(cafile=known["ca"])
    context.load_cert_chain(known["cert"], known["key"])
    connection = http.client.HTTPSConnection("127.0.0.1", known["port"], context=context, timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def node(name: str) -> Any:
    """The Node, or None."""
    status, body = ask("GET", f"/api/v1/nodes/{name}")
    return body if status == 200 else None


def patch(name: str, change: Any) -> None:
    """Merge into a Node."""
    status, body = ask("PATCH", f"/api/v1/nodes/{name}", change, MERGE)
    if status != 200:
        sys.exit(f"Error from server: {body}")


def record(event: str) -> None:
    """What the tests read."""
    with (CONTROL / "events").open("a") as file:
        file.write(f"{event}\n")


def register(name: str, version: str) -> bool:
    """The Node, as the kubelet of this host makes it; False for a host with another password than its name has."""
    own, at = HOST / "etc" / "node-password", f"/api/v1/namespaces/kube-system/secrets/{name}{PASSWORD}"
    if not own.exists():
        own.write_text(secrets.token_hex(16))
    known = hashlib.sha256(own.read_bytes()).hexdigest()
    status, found = ask("GET", at)
    if status == 200 and found["metadata"]["labels"]["hash"] != known[:60]:
        return False
    if status != 200:
        meta = {"name": f"{name}{PASSWORD}", "labels": {"hash": known[:60]}}
        ask("POST", at.rpartition("/")[0], {"apiVersion": "v1", "kind": "Secret", "metadata": meta})
    if node(name) is None:
        meta = {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}}
        ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": meta})
    # kwok says which kubelet it plays; the version of ours is kept beside it.
    patch(name, {"metadata": {"annotations": {"bed/version": version}}})
    return True


def try_again() -> None:
    """A kubelet that was refused asks again and again: here, when somebody looks."""
    refused = HOST / "refused"
    if refused.exists() and register(*refused.read_text().split()):
        refused.unlink()
    if refused.exists():
        sys.exit(1)


def delete_node(name: str) -> None:
    for path in (f"nodes/{name}", f"namespaces/kube-system/secrets/{name}{PASSWORD}"):
        ask("DELETE", f"/api/v1/{path}")
    record(f"delete {name}")


def list_secrets() -> None:
    for one in ask("GET", "/api/v1/namespaces/kube-system/secrets")[1]["items"]:
        print(f"secret/{one['metadata']['name']}")


def get_node(name: str, options: list[str]) -> None:
    found = node(name)
    if found is None and "--ignore-not-found" not in options:
        sys.exit(f'Error from server (NotFound): nodes "{name}" not found')
    if found and "name" in options:
        print(f"node/{name}")
    if found and any(option.startswith("jsonpath") for option in options):
        print(found["metadata"]["annotations"].get("bed/version", ""))


def drain(name: str) -> None:
    guarded = CONTROL / "undrainable"
    if guarded.exists() and guarded.read_text() == name:
        sys.exit("error: Cannot evict pod as it would violate the pod's disruption budget")
    patch(name, {"spec": {"unschedulable": True}})
    record(f"drain {name}")


def main(words: list[str]) -> None:
    if words[:1] == ["--kubeconfig"]:
        try_again()
    if words[:1] in (["--kubeconfig"], ["--namespace"]):
        words = words[2:]
    match words:
        case ["get", "--raw=/readyz"]:
            sys.exit(0 if ask("GET", "/readyz")[0] == 200 else 1)
        case ["get", "node", name, *options]:
            get_node(name, options)
        case ["drain", name, *_]:
            drain(name)
        case ["uncordon", name]:
            patch(name, {"spec": {"unschedulable": None}})
        case ["get", "secret", "--output", "name"]:
            list_secrets()
        case ["delete", "node", name, *_]:
            delete_node(name)
        case ["delete", secret, "--ignore-not-found"] if secret.startswith("secret/"):
            ask("DELETE", f"/api/v1/namespaces/kube-system/secrets/{secret.removeprefix('secret/')}")
        case _:
            sys.exit(f"the stand-in knows no kubectl {' '.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
