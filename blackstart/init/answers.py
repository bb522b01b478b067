"""What the operator answered, and the cluster file that it comes to."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from blackstart.config import ClusterConfig, load
from blackstart.config.load import DEFAULTS

HEAD = "# What every part means: blackstart schema. What stands in the way of a run: blackstart --cluster {} check.\n"
AUTH = """\
# A private remote needs, under git:
#   auth: {kind: ssh, from: {file: ~/.ssh/flux}, known_hosts: keys/known_hosts}
#   auth: {kind: token, from: {env: GIT_TOKEN}}
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers: `cluster` is the section of that name (its provider and fields), `path` the wiring's folder."""

    name: str
    cluster: Mapping[str, Any]
    url: str
    branch: str
    path: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def cluster_file(self, recipients: Sequence[str], charts: str) -> str:
        """The text of `clusters/<name>.yaml`."""
        data = {
            "cluster": dict(self.cluster),
            "git": {"url": self.url, "branch": self.branch, "path": self.path},
            "providers": "builtin" if self.cluster["provider"] == "embedded" else "registry",
            "sops": {"recipients": list(recipients)},
            "charts": charts,
            "settings": dict(self.settings),
        }
        yaml = YAML()
        yaml.width = 4096
        yaml.indent(mapping=2, sequence=4, offset=2)
        out = io.StringIO()
        yaml.dump(data, out)
        return HEAD.format(self.name) + out.getvalue() + (AUTH if self.url != "worktree" else "")


def validated(root: Path, name: str, text: str) -> ClusterConfig:
    """The configuration that `text` would be as `clusters/<name>.yaml` of `root`; nothing is written there.

    Raises ConfigError with every problem.
    """
    with tempfile.TemporaryDirectory(prefix="blackstart-init-") as folder:
        clusters = Path(folder, "clusters")
        clusters.mkdir()
        defaults = root / "clusters" / DEFAULTS
        if defaults.is_file():
            shutil.copyfile(defaults, clusters / DEFAULTS)
        (clusters / f"{name}.yaml").write_text(text)
        return load(Path(folder), name)
