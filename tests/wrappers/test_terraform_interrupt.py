"""Ctrl-C while the real terraform applies: it hears it once, writes its state, and we end with 130 (issue 4)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from blackstart.tools.terraform import parse_state

APPLY = """
import sys
from pathlib import Path
from blackstart import toolchain
from blackstart.errors import Interrupted
from blackstart.tools.terraform import Terraform
folder = Path(sys.argv[1])
terraform = Terraform(
    folder, binary=toolchain.path("terraform"), env={"TF_CLI_CONFIG_FILE": str(folder / "rc")}, log=folder / "log"
)
terraform.init()
try:
    terraform.apply(on_resource=lambda what: print(what, flush=True))
except Interrupted as error:
    print(error.hint, flush=True)
    sys.exit(error.exit_code)
"""


def test_terraform_is_interrupted_once_and_writes_its_state(tmp_path: Path) -> None:
    hangs = {"provisioner": {"local-exec": {"command": "exec sleep 300"}}, "depends_on": ["terraform_data.first"]}
    resources = {"terraform_data": {"first": {}, "second": hangs}}
    backend = {"local": {"path": "kept.tfstate"}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"backend": backend}, "resource": resources}))
    (tmp_path / "rc").write_text("")
    ours = subprocess.Popen([sys.executable, "-c", APPLY, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert ours.stdout is not None
    assert [ours.stdout.readline().strip() for _ in range(2)] == ["terraform_data.first", "terraform_data.second"]
    ours.send_signal(signal.SIGINT)
    said, _ = ours.communicate(timeout=60)
    assert (ours.returncode, "blackstart up" in said) == (130, True)
    state = parse_state((tmp_path / "kept.tfstate").read_text())
    assert state is not None and "terraform_data.first" in state.addresses()
    log = (tmp_path / "log").read_text()
    assert "Interrupt received" in log and "Two interrupts received" not in log
