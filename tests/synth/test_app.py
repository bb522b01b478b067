"""`main.py` and the stage that runs it."""

import sys
from pathlib import Path
from subprocess import run

import pytest

from blackstart.config import Workspace, load
from blackstart.errors import CommandFailed
from blackstart.synth import read, run_app, synth


def test_the_order_is_read_from_the_manifest(stacks: Path) -> None:
    manifest = read(stacks.parent, "modern")
    assert [(stack.id, stack.part) for stack in manifest.stacks] == [
        ("modern-cluster", "cluster"),
        ("modern-sops-age", "sops-age"),
        ("modern-flux", "flux"),
    ]
    assert manifest.stacks[2].dependencies == ("modern-sops-age",)
    assert manifest.stacks[2].folder == stacks / "modern-flux"


def test_what_is_there_for_the_same_input_is_taken(
    stacks: Path, fresh_checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fresh_checkout
    workspace, config = Workspace(root, "builtin"), load(root, "builtin")
    ran: list[str] = []

    def count(root: Path, cluster: str, out: Path) -> None:
        ran.append(cluster)
        out.mkdir(parents=True, exist_ok=True)
        (out / "manifest.json").write_text((stacks.parent / "manifest.json").read_text())

    monkeypatch.setattr("blackstart.synth.run_app", count)
    assert synth(workspace, config) == synth(workspace, config)
    assert ran == ["builtin"]
    monkeypatch.setenv("BLACKSTART_GIT_PORT", "4242")
    synth(workspace, config)
    assert ran == ["builtin", "builtin"]
    (root / "modules" / "place.py").open("a").write("\n")
    synth(workspace, config)
    assert ran == ["builtin", "builtin", "builtin"]


def test_charts_that_are_not_installed_are_named_with_the_next_command(
    stacks: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BLACKSTART_CACHE", str(tmp_path / "empty"))
    with pytest.raises(CommandFailed) as caught:
        run_app(stacks.parents[1], "builtin", tmp_path / "out")
    assert "the chart flux-crds of Flux 2.9.4 is not installed" in caught.value.tail
    assert caught.value.hint == "blackstart toolchain install"
    assert "Traceback" not in caught.value.tail


def test_states_that_would_overwrite_each_other_are_refused(fresh_checkout: Path, tmp_path: Path) -> None:
    file = fresh_checkout / "clusters" / "shared.yaml"
    file.write_text(file.read_text().replace("state/{stack}'", "state'"))
    with pytest.raises(CommandFailed) as caught:
        run_app(fresh_checkout, "shared", tmp_path / "out")
    assert "state: http.address: each stack needs a state of its own: put {stack} into it" in caught.value.tail
    assert "edit clusters/shared.yaml" in caught.value.hint


def test_the_bindings_are_imported_without_their_slow_init(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "import modules.cdktf\n"
        "name = 'cdktf_cdktf_provider_kubernetes'\n"
        "loaded = {m.split('.')[1] for m in sys.modules if m.startswith(name + '.')}\n"
        "print(sorted(loaded))\n"
    )
    root = Path(__file__).parents[2]
    done = run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == str(
        sorted(
            ["_jsii", "provider", "namespace", "namespace_v1", "secret", "secret_v1"]
            + [f"data_kubernetes_{kind}" for kind in ("config_map", "config_map_v1", "namespace", "namespace_v1")]
        )
    )


def test_synth_can_write_a_tree_to_commit(fresh_checkout: Path, installed: None) -> None:
    """The same bytes each time, and with the lock of the registry's providers in each stack that has any."""
    lock = fresh_checkout / "toolchain" / "locks" / "registry.terraform.lock.hcl"
    lock.parent.mkdir(parents=True)
    lock.write_text("# hashes of all platforms\n")
    argv = [sys.executable, "-m", "blackstart", "--cluster", "hcp", "synth", "--commit-to", "vcs"]
    first = run(argv, cwd=fresh_checkout, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0, first.stderr
    assert first.stdout.split() == [f"vcs/stacks/hcp-{part}" for part in ("cluster", "sops-age", "flux")]
    before = {path: path.read_bytes() for path in (fresh_checkout / "vcs").rglob("*") if path.is_file()}
    assert len(before) > 5
    assert (fresh_checkout / "vcs/stacks/hcp-flux/.terraform.lock.hcl").read_text() == lock.read_text()
    run(argv, cwd=fresh_checkout, capture_output=True, timeout=120, check=True)
    assert {path: path.read_bytes() for path in (fresh_checkout / "vcs").rglob("*") if path.is_file()} == before


def test_what_needs_this_machine_is_refused_in_a_remote_run(fresh_checkout: Path, installed: None) -> None:
    """By the synth itself, wherever a later stack would put it: here the gate of the single layout."""
    file = fresh_checkout / "clusters" / "hcp.yaml"
    file.write_text(file.read_text().replace("backend: cloud", "backend: cloud, layout: single"))
    run_app(fresh_checkout, "hcp", fresh_checkout / "out")
    wiring = fresh_checkout / "stacks" / "single.py"
    wiring.write_text(wiring.read_text().replace("if not place.config.state.runs_remotely", "if place"))
    with pytest.raises(CommandFailed) as caught:
        run_app(fresh_checkout, "hcp", fresh_checkout / "out")
    assert "has to run on this machine, and its runs are elsewhere" in caught.value.tail
    assert caught.value.hint == "state.cloud.execution: local"
