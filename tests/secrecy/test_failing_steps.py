"""Whatever step fails, and however much its programs tell: no error, event, log or file holds the key (issue 5).

Every program but git and the builder of layers is one that prints its environment and its key file, in clear and in
base64, and fails.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackstart import recipes, toolchain
from blackstart.cli.options import Options
from blackstart.cli.running import carry_out
from blackstart.config import ClusterConfig, Workspace, load
from blackstart.config.workspace import write_private
from blackstart.errors import BlackstartError
from blackstart.keys import rotation, rules
from blackstart.progress import StepNote
from blackstart.recovery.verdict import Row, Verdict
from blackstart.steps import Step
from blackstart.steps.prepare import FindKey, PinCommit
from blackstart.steps.rotate import BeginRotation
from blackstart.steps.run import Run
from blackstart.synth import PARTS, Manifest, Part, Stack
from blackstart.tools import age
from tests.check.repository import CLUSTER, Repository, good
from tests.secrecy.searching import Secret, in_files
from tests.secrecy.test_errors import TELLTALE, texts_of

RECIPIENT = age.THROWAWAY
VERDICT = Verdict(Row.LOST, "", {f"{CLUSTER}-flux": ("helm_release.flux",)}, (f"{CLUSTER}-flux",), fetch=True)
HARMLESS = {"FindKey", "PinCommit", "Publish", "DrainLayers", "BackUpStates", "RestoreStates", "TakeKubeconfig"}
"""They start no program but git, and find nothing to do where no cluster is."""


def every_step() -> dict[str, Step]:
    """One of each kind, out of the recipes."""
    shape = {"cluster": {"provider": "embedded"}, "git": {"path": "x"}, "sops": {"recipients": [RECIPIENT]}}
    split = ClusterConfig.model_validate(shape)
    single = ClusterConfig.model_validate({**shape, "state": {"layout": "single"}})
    found = [
        *recipes.recover(split, VERDICT),
        *recipes.up(single),
        *recipes.down(split),
        *recipes.rotate(split, commit=True),
    ]
    return {type(step).__name__: step for step in found}


@dataclass(frozen=True)
class Prepared:
    """What earlier steps would have found."""

    manifest: Manifest
    name: str = "prepared"

    def run(self, run: Run, note: StepNote) -> None:
        FindKey().run(run, note)
        PinCommit().run(run, note)
        run.found_manifest = self.manifest


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return good(tmp_path_factory.mktemp("good") / "repository")


@pytest.fixture
def root(template: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The repository with its key, and programs that tell everything; its API is a port where nobody listens."""
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"):
        monkeypatch.delenv(name, raising=False)
    template.git("clone", "--quiet", str(template.root), str(tmp_path / "repository"))
    telltale = tmp_path / "telltale"
    telltale.write_text(TELLTALE)
    telltale.chmod(0o755)
    builder = toolchain.path("build-layers")
    monkeypatch.setattr(toolchain, "path", lambda name: builder if name == builder.name else telltale)
    monkeypatch.setattr(toolchain, "terraformrc", lambda pair: tmp_path / "terraformrc")
    monkeypatch.setattr(sys, "executable", str(telltale))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ws = Workspace(tmp_path / "repository", CLUSTER)
    write_private(age.key_file(ws), f"{template.key}\n")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        write_private(ws.kubeconfig, kubeconfig(nobody.getsockname()[1]))
        yield ws.root


def kubeconfig(port: int) -> str:
    named = {"name": "x", "cluster": {"server": f"https://127.0.0.1:{port}"}, "context": {"cluster": "x", "user": "x"}}
    return json.dumps(
        {"clusters": [named], "contexts": [named], "users": [{"name": "x", "user": {}}], "current-context": "x"}
    )


def manifest(ws: Workspace, parts: tuple[Part, ...]) -> Manifest:
    """Stacks that are there, and hold nothing."""
    stacks = [Stack(f"{CLUSTER}-{part}", part, ws.out / "stacks" / part, ()) for part in parts]
    for stack in stacks:
        stack.folder.mkdir(parents=True)
        (stack.folder / "cdk.tf.json").write_text("{}")
        write_private(ws.state(stack.id), "{")  # cut off
    return Manifest(tuple(stacks))


def begin_rotation(ws: Workspace, *, recipients: bool) -> None:
    """A second key in the key file; with `recipients` it can decrypt, as the commit says."""
    begun = rotation.begin(age.key_file(ws), age.read(ws), tuple(load(ws.root, CLUSTER).sops.recipients))
    if recipients:
        file = ws.root / rules.FILE
        file.write_text(rules.edit_rules(file.read_text(), begun.add_new))
        Repository(ws.root, "").commit()


@pytest.mark.parametrize("kind", every_step())
def test_a_step_that_fails_tells_nothing(root: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    step = every_step()[kind]
    ws = Workspace(root, CLUSTER)
    if step in recipes.rotate(load(root, CLUSTER), commit=True) and not isinstance(step, BeginRotation | PinCommit):
        begin_rotation(ws, recipients=kind == "OldRecipientOut")
    secrets = [Secret(one) for one in age.read(ws).identities.split()]
    prepared = Prepared(manifest(ws, ("single",) if kind == "ApplySingle" else PARTS))
    texts = []
    try:
        carry_out(Options(root, (CLUSTER,), "text", True), "up", lambda config: [prepared, step])
        assert kind in HARMLESS
    except BlackstartError as error:
        assert kind not in HARMLESS
        texts = texts_of(error)
    texts += capfd.readouterr()
    assert [form for text in texts for one in secrets for form in one.forms_in(text.encode())] == []
    assert in_files(secrets, [root.parent], lambda path: path == age.key_file(ws)) == []
    (report,) = ws.runs.glob("*/report.json")
    assert json.loads(report.read_text())["outcome"] in ("failed", "unchanged")
