"""The charts of their own projects, at the pinned versions, with our values (`make test-upstream`)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from blackstart import toolchain
from blackstart.config import load, names

ROOT = Path(__file__).parents[2]
KUBERNETES = "1.34.1"  # helm that was built from its module believes in 1.20, which these charts refuse
Doc = dict[str, Any]
pytestmark = pytest.mark.upstream


def _documents() -> Iterator[Doc]:
    for part in ("infrastructure", "apps"):
        for path in sorted((ROOT / "gitops" / "flux" / part).rglob("*.yaml")):
            yield from YAML(typ="safe").load_all(path.read_text())


DOCS = list(_documents())
RELEASES = {doc["metadata"]["name"]: doc for doc in DOCS if doc["kind"] == "HelmRelease"}
REPOSITORIES = {doc["metadata"]["name"]: doc["spec"]["url"] for doc in DOCS if doc["kind"] == "HelmRepository"}


def _repository(release: Doc) -> str:
    return str(REPOSITORIES[release["spec"]["chart"]["spec"]["sourceRef"]["name"]])


@pytest.fixture(scope="session")
def reachable() -> None:
    """Skips where no chart repository answers within three seconds, and where nobody asked for the internet."""
    if not os.environ.get("BLACKSTART_UPSTREAM"):
        pytest.skip("reaches the internet, so only on request: make test-upstream")
    silent = []
    for url in REPOSITORIES.values():
        try:
            with httpx.stream("GET", f"{url.rstrip('/')}/index.yaml", timeout=3, follow_redirects=True) as answer:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            silent.append(f"{url} ({type(error).__name__})")
    if len(silent) == len(REPOSITORIES):
        pytest.skip(f"no chart repository answers: {', '.join(silent)}")


def helm(home: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], **{f"HELM_{kind}_HOME": str(home) for kind in ("CACHE", "CONFIG", "DATA")}}
    argv = [str(toolchain.path("helm")), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(release: Doc, cluster: str, into: Path) -> Path:
    """The values of a release as Flux gives them to helm for this cluster; Secrets hold the NAS key alone."""
    with into.open("w") as file:
        YAML().dump(release["spec"]["values"], file)
    known = load(ROOT, cluster).cluster_settings
    text = re.sub(r"\$\{(\w+)(?::=([^}]*))?\}", lambda m: known.get(m[1], m[2] or ""), into.read_text())
    data = YAML(typ="safe").load(text)
    if "valuesFrom" in release["spec"]:
        data["driver"]["config"]["httpConnection"]["apiKey"] = "dummy"
    with into.open("w") as file:
        YAML().dump(data, file)
    return into


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("name", RELEASES)
def test_the_pinned_chart_takes_the_values_of_every_cluster(name: str, tmp_path: Path) -> None:
    release = RELEASES[name]
    chart = release["spec"]["chart"]["spec"]
    pull = ("pull", chart["chart"], "--repo", _repository(release), "--version", chart["version"])
    helm(tmp_path, *pull, "--destination", str(tmp_path), "--untar", "--untardir", str(tmp_path / "chart"))
    folder = str(tmp_path / "chart" / chart["chart"])
    for cluster in names(ROOT):
        given = values(release, cluster, tmp_path / f"{cluster}.yaml")
        options = ("--values", str(given), "--include-crds", "--kube-version", KUBERNETES)
        rendered = helm(tmp_path, "template", name, folder, *options)
        assert [doc for doc in YAML(typ="safe").load_all(rendered) if doc]


@pytest.mark.parametrize("name", RELEASES)
def test_values_are_filled_in_for_every_cluster(name: str, tmp_path: Path) -> None:
    """Needs no internet: no variable is left, and what was a switch in the manifest is one for helm."""
    for cluster in names(ROOT):
        text = values(RELEASES[name], cluster, tmp_path / f"{cluster}.yaml").read_text()
        assert "${" not in text
        assert "enabled: 'true'" not in text
