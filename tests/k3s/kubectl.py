"""`k3s kubectl` of the test bed: the few commands that our scripts use, against the real API.

It evicts nothing: a drain only cordons. A node's version is the annotation that the stand-in of the installer wrote.
The standard library alone, for it is started often.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

HOST, CONTROL = Path(os.environ["BED_HOST"]), Path(os.environ["BED_CONTROL"])
MERGE = "application/merge-patch+json"


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


def get_node(name: str, options: list[str]) -> None:
    found = node(name)
    if found is None and "--ignore-not-found" not in options:
        sys.exit(f'Error from server (NotFound): nodes "{name}" not found')
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
        case ["delete", "node", name, *_]:
            ask("DELETE", f"/api/v1/nodes/{name}")
            record(f"delete {name}")
        case _:
            sys.exit(f"the stand-in knows no kubectl {' '.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
