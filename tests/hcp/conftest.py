from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart import toolchain
from blackstart.tools.terraform_cloud import TerraformCloud
from tests.hcp import tls
from tests.hcp.peer import TOKEN, Peer
from tests.hcp.registry import mirror


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A throwaway CA and the server's certificate."""
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def peer(
    certificates: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Peer]:
    """A fresh server that this process and terraform trust."""
    running = Peer(*certificates, toolchain.path("terraform"), tmp_path_factory.mktemp("peer"))
    monkeypatch.setenv("SSL_CERT_FILE", str(running.ca))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A provider mirror in the place of the registry."""
    return mirror(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def cloud(peer: Peer) -> TerraformCloud:
    """A client with the right token that counts its pauses instead of making them."""
    return TerraformCloud(peer.hostname, TOKEN, pause=lambda seconds: None)
