"""CRDs of an operator that does not run, fetched from where its HelmRelease says: only CRDs are taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blackstart.embedded.operators import fetch
from blackstart.errors import BlackstartError, ConfigError, ToolFailed

CRD = "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: a.example.test}\nstatus: {conditions: []}\n"
SERVED = {
    "two.yaml": f"---\n{CRD}---\n{CRD.replace('a.', 'b.')}",
    "mixed.yaml": f"{CRD}---\nkind: Secret\n",
    "list.yaml": "- a\n",
    "empty.yaml": "# nothing\n",
    "broken.yaml": "a: [\n",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    for name, text in SERVED.items():
        Path(folder, name).write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_crd_of_a_file_without_its_status(url: str) -> None:
    found = fetch(f"{url}/two.yaml")
    assert [one["metadata"]["name"] for one in found] == ["a.example.test", "b.example.test"]
    assert not any("status" in one for one in found)


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("/mixed.yaml", ConfigError, "holds not only CRDs"),
        ("/list.yaml", ConfigError, "holds not only CRDs"),
        ("/empty.yaml", ConfigError, "holds not only CRDs"),
        ("/broken.yaml", ConfigError, "is not YAML"),
        ("/absent.yaml", ToolFailed, "404"),
    ],
)
def test_anything_else_is_refused_with_its_address(
    url: str, where: str, error: type[BlackstartError], said: str
) -> None:
    with pytest.raises(error) as caught:
        fetch(url + where)
    assert where in caught.value.message and said in caught.value.message and "HelmRelease" in caught.value.hint


def test_no_answer_and_no_address_are_told_apart_from_an_answer() -> None:
    for address in ("http://127.0.0.1:1/crds.yaml", "nowhere"):
        with pytest.raises(ToolFailed, match=address):
            fetch(address)
