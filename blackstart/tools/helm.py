"""The door to helm: a chart rendered without a cluster, a release installed in one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackstart import toolchain
from blackstart.tools.process import Command, run

RENDER_SECONDS = 60.0
INSTALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class ChartAt:
    """A chart: a folder, an oci:// address, or a name in a repository."""

    name: str
    version: str = ""
    repository: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """How helm is told."""
        version = ("--version", self.version) if self.version else ()
        repository = ("--repo", self.repository) if self.repository else ()
        return (self.name, *version, *repository)


def template(release: str, namespace: str, chart: Path, values: Mapping[str, Any], files: Sequence[Path] = ()) -> str:
    """The manifests of a chart in a folder, its CRDs too; `values` go over those of `files`.

    Raises CommandFailed with helm's reason.
    """
    with _home() as own:
        under = [word for file in files for word in ("--values", str(file))]
        wanted = ("template", release, str(chart), "--namespace", namespace, "--include-crds", *under, "--values", "-")
        command = Command(
            (str(toolchain.path("helm")), *wanted), env=own, stdin=json.dumps(dict(values)), timeout=RENDER_SECONDS
        )
        return run(command).stdout


def install(release: str, namespace: str, chart: ChartAt, values: Mapping[str, Any], kubeconfig: Path) -> None:
    """Install a release, or again one that failed; does not wait for its pods. Raises CommandFailed."""
    where = ("--namespace", namespace, "--create-namespace", "--kubeconfig", str(kubeconfig))
    words = ("upgrade", "--install", release, *chart.words, *where, "--values", "-")
    with _home() as own:
        argv = (str(toolchain.path("helm")), *words)
        run(Command(argv, env=own, stdin=json.dumps(dict(values)), timeout=INSTALL_SECONDS))


@contextmanager
def _home() -> Iterator[dict[str, str]]:
    """Nothing of the operator's own helm is read or written."""
    with tempfile.TemporaryDirectory(prefix="blackstart-helm-") as home:
        yield {name: home for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")}
