"""What a person can do without the command line: plain terraform in the synthesized folders (issues 3 and 4)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from blackstart import toolchain
from tests.desk import Desk, ids_in_states
from tests.secrecy.searching import Processes, Secret

KEY = "keys/local.agekey"
pytestmark = pytest.mark.cluster


def private_key(desk: Desk) -> str:
    lines = (desk.root / KEY).read_text().splitlines()
    return next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))


def terraform(desk: Desk, stack: str, *args: str) -> subprocess.CompletedProcess[str]:
    """`terraform -chdir=cdktf.out/stacks/STACK ARGS` from the top of the repository, the key in its variable."""
    return subprocess.run(
        [str(toolchain.path("terraform")), f"-chdir=cdktf.out/stacks/{stack}", *args, "-no-color"],
        cwd=desk.root,
        env=desk.environment(TF_VAR_age_key=private_key(desk), TF_IN_AUTOMATION="1"),
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )


def apply(desk: Desk, stack: str) -> None:
    for args in (("init",), ("apply", "-auto-approve")):
        done = terraform(desk, stack, *args)
        assert done.returncode == 0, f"{stack}: {args}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def synth(desk: Desk) -> None:
    subprocess.run([sys.executable, "main.py"], cwd=desk.root, env=desk.environment(), check=True, timeout=120)


def test_stack_by_stack_ends_where_up_ends(desk: Desk) -> None:
    synth(desk)
    for part in ("cluster", "sops-age", "flux"):
        apply(desk, f"local-{part}")
    desk.good("status", "--wait")
    before = ids_in_states(desk)
    assert len(before) >= 12
    desk.good("up")
    assert ids_in_states(desk) == before, "the two ways share their states"
    for part in ("cluster", "sops-age", "flux"):
        assert terraform(desk, f"local-{part}", "plan", "-detailed-exitcode").returncode == 0


def test_one_apply_from_nothing_to_ready_and_never_into_another_cluster(desk: Desk) -> None:
    desk.edit("clusters/local.yaml", "charts: bundled", "charts: bundled\nstate: {layout: single}")
    desk.commit("all in one state")
    synth(desk)
    with Processes(marked=f"BLACKSTART_GIT_PORT={desk.port}\0".encode()) as started:
        apply(desk, "local")
    assert "kube-apiserver" in started.programs and any(name.startswith("python") for name in started.programs)
    assert started.leaks(Secret(private_key(desk)), lambda program, place: program.startswith("terraform")) == set()
    assert desk.good("-o", "json", "status", "--wait").events()[-1]["ready"] is True
    assert terraform(desk, "local", "plan", "-detailed-exitcode").returncode == 0

    kubeconfig = desk.ws.kubeconfig.read_bytes()
    embedded(desk, "delete")
    lost = terraform(desk, "local", "plan")
    assert lost.returncode == 1
    assert "kubeconfig: it is missing" in lost.stderr
    assert "run: blackstart --cluster local recover" in " ".join(lost.stderr.split())

    desk.ws.kubeconfig.write_bytes(kubeconfig)
    unreachable = terraform(desk, "local", "plan")
    assert unreachable.returncode == 1
    assert "this-cluster-else-blackstart-recover" in unreachable.stderr

    embedded(desk, "create")
    embedded(desk, "wait")
    other = terraform(desk, "local", "apply", "-auto-approve")
    assert other.returncode == 1
    assert "run: blackstart --cluster local recover" in " ".join(other.stderr.split())
    assert desk.api().get("Namespace", "flux-system") is None, "nothing was put into the other cluster"


def embedded(desk: Desk, verb: str) -> None:
    argv = [sys.executable, "-m", "blackstart.embedded", verb, "--cluster", "local"]
    subprocess.run(argv, cwd=desk.root, env=desk.environment(), check=True, timeout=180)
