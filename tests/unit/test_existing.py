"""A cluster that somebody else made: one context alone, or host, CA and token of the environment."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from blackstart.config import Workspace
from blackstart.config.model import Existing
from blackstart.errors import ConfigError
from blackstart.providers.existing import ExistingProvider, from_environment, one_context
from blackstart.tools.process import redact

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: b
clusters:
  - {name: a, cluster: {server: "https://a", certificate-authority: pki/ca.crt}}
  - {name: b, cluster: {server: "https://b"}}
users:
  - {name: a, user: {client-certificate: pki/a.crt, client-key: /nowhere/key}}
  - {name: b, user: {tokenFile: token}}
contexts:
  - {name: a, context: {cluster: a, user: b, namespace: n}}
  - {name: b, context: {cluster: b, user: b}}
  - {name: keyless, context: {cluster: b, user: a}}
  - {name: half, context: {cluster: c, user: b}}
"""


def parsed(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(text)
    return loaded


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("CA")
    (tmp_path / "config").write_text(KUBECONFIG)
    return tmp_path / "config"


def test_one_context_alone_with_its_files_embedded(kubeconfig: Path) -> None:
    found = parsed(one_context(kubeconfig, "a"))
    assert [each["cluster"] for each in found["clusters"]] == [
        {"server": "https://a", "certificate-authority-data": base64.b64encode(b"CA").decode()}
    ]
    assert found["users"][0]["user"] == {"tokenFile": str(kubeconfig.parent / "token")}
    assert found["contexts"][0]["context"]["namespace"] == "n"


def test_an_empty_context_is_the_current_one(kubeconfig: Path) -> None:
    assert parsed(one_context(kubeconfig, ""))["clusters"][0]["cluster"]["server"] == "https://b"


@pytest.mark.parametrize(
    ("context", "said"),
    [("x", "no context 'x'"), ("keyless", "pki/a.crt, which cannot be read"), ("half", "no cluster 'c'")],
)
def test_what_is_missing_is_named(kubeconfig: Path, context: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        one_context(kubeconfig, context)


def test_a_missing_file_and_one_that_is_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        one_context(tmp_path / "absent", "")
    (tmp_path / "bad").write_text("{")
    with pytest.raises(ConfigError, match="not a kubeconfig"):
        one_context(tmp_path / "bad", "")


def test_host_ca_and_token_of_the_environment() -> None:
    given = {"KUBE_HOST": "10.0.0.1:6443", "KUBE_TOKEN": "secret-token-1", "KUBE_CLUSTER_CA_CERT_DATA": "PEM"}
    found = parsed(from_environment(given))
    assert found["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:6443"
    assert found["users"][0]["user"] == {"token": "secret-token-1"}
    assert redact("secret-token-1") == "***"


def test_the_environment_must_be_complete() -> None:
    with pytest.raises(ConfigError, match="KUBE_TOKEN"):
        from_environment({"KUBE_HOST": "x", "KUBE_CLUSTER_CA_CERT_DATA": "PEM"})


def test_it_never_says_lost_and_cannot_start(tmp_path: Path) -> None:
    provider = ExistingProvider(Workspace(tmp_path, "c"), Existing(provider="existing"))
    assert provider.exists().exists
    with pytest.raises(ConfigError):
        provider.start()
