from pathlib import Path

import pytest

from blackstart.config.cache import cache, flux_chart
from blackstart.config.ports import COUNT, FIRST, git_port


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path))
    assert flux_chart("flux-crds", "2.9.4") == tmp_path / "flux" / "2.9.4" / "flux-crds"


def test_without_it_the_cache_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BLACKSTART_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache() == tmp_path / "blackstart"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache() == tmp_path / ".cache" / "blackstart"


def test_the_git_port_depends_on_the_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLACKSTART_GIT_PORT", raising=False)
    assert git_port("local") == git_port("local") != git_port("other")
    assert all(FIRST <= git_port(f"cluster-{n}") < FIRST + COUNT for n in range(50))
    monkeypatch.setenv("BLACKSTART_GIT_PORT", "4242")
    assert git_port("local") == 4242
