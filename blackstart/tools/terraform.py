"""The door to terraform: python-terraform makes the command lines, `process` runs them."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as CommandLine

from blackstart.errors import CommandFailed
from blackstart.tools.process import TAIL_LINES, Command, Completed, redact, run
from blackstart.tools.state_lock import LockLog, refusal

LOCK_TIMEOUT = "5s"
HOLDS_LOCK = {"refresh_start", "refresh_complete", "resource_drift", "planned_change", "change_summary", "apply_start"}
"""Messages that terraform does not send before it has the lock."""
NO_ENTRY = (
    *("endpoint requires auth", "endpoint invalid auth", "No valid credential sources", "AccessDenied"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch"),
)
"""What the http and s3 backends say when credentials are missing or wrong."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply changed, and the exit code's errors as one text."""

    added: int
    changed: int
    removed: int

    @property
    def nothing(self) -> bool:
        """Whether the stack was as it should be."""
        return self.added == self.changed == self.removed == 0


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned change: `actions` such as ("create",), `address` the resource."""

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A state: its serial, lineage and the resources in it, as terraform keeps them."""

    serial: int
    lineage: str
    resources: tuple[dict[str, Any], ...] = field(repr=False)

    def addresses(self, *, in_cluster: bool = False) -> list[str]:
        """The managed resources; `in_cluster`: only those of the kubernetes and helm providers."""
        return [
            address_of(item)
            for item in self.resources
            if item["mode"] == "managed" and (not in_cluster or _lives_in_cluster(item))
        ]


class Terraform:
    """One stack's folder; `env` holds TF_VAR_… and TF_CLI_CONFIG_FILE, `log` gets the output, redacted.

    With `locks` a remote lock that a dead run of ours has left is released.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binary: Path,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        locks: LockLog | None = None,
    ) -> None:
        self.folder = folder
        self.log = log
        self._locks = locks
        self._line = CommandLine(working_dir=str(folder), terraform_bin_path=str(binary))
        quiet = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "GOGC": "400"}
        self._env = {**quiet, **(env or {})}

    def init(self) -> None:
        """Install providers and configure the backend: the one of the configuration, whatever it was before.

        Of another one terraform would ask whether to copy its state, and fail where it is out of reach; without its
        record it does not know of one. What the new one does not hold is adopted (design, section 6).
        """
        (self.folder / ".terraform" / "terraform.tfstate").unlink(missing_ok=True)
        self._run("init", input=False, no_color=IsFlagged)

    def apply(self, *, replace: tuple[str, ...] = (), on_resource: Callable[[str], None] | None = None) -> Applied:
        """Bring the stack to its configuration. Raises CommandFailed with terraform's own diagnostics."""
        return self._change("apply", on_resource, replace=list(replace) or None)

    def destroy(self, *, on_resource: Callable[[str], None] | None = None) -> Applied:
        """Destroy all that the stack holds."""
        return self._change("destroy", on_resource)

    def plan(self, *, destroy: bool = False) -> list[Planned]:
        """What `apply` would change; writes no plan file."""
        found: list[Planned] = []

        def see(message: dict[str, Any]) -> None:
            if message.get("type") == "planned_change":
                change = message["change"]
                found.append(Planned(change["resource"]["addr"], (change["action"],)))

        flags = {"json": IsFlagged, "input": False, "lock_timeout": LOCK_TIMEOUT}
        self._events("plan", see, destroy=IsFlagged if destroy else None, **flags)
        return found

    def pull(self) -> State | None:
        """The state, or None when there is none. Raises CommandFailed when it cannot be read."""
        return parse_state(self.pull_text())

    def pull_text(self) -> str:
        """The state as it is kept."""
        return self._run("state pull").stdout

    def push(self, file: Path, *, force: bool = False) -> None:
        """Make `file` the state; serial and lineage are checked unless `force`."""
        self._run("state push", str(file), no_color=IsFlagged, force=IsFlagged if force else None)

    def forget(self, addresses: list[str]) -> None:
        """Remove resources from the state; the resources themselves stay.

        Terraform keeps the state as it was: beside a local state, for by default it lies in the stack's folder, where
        no secret belongs.
        """
        if addresses:
            state = self._backend().get("local", {}).get("path", "")
            kept = {"backup": f"{state}.{time.time_ns()}.backup"} if state else {}
            self._run("state rm", *addresses, no_color=IsFlagged, lock_timeout=LOCK_TIMEOUT, **kept)

    def adopt(self, address: str, identifier: str) -> None:
        """Import an existing object into the state."""
        self._run("import", address, identifier, input=False, no_color=IsFlagged, lock_timeout=LOCK_TIMEOUT)

    def force_unlock(self, lock_id: str) -> None:
        """Release a lock that is proven to be ours and dead."""
        self._run("force-unlock", lock_id, force=IsFlagged)

    def _backend(self) -> dict[str, dict[str, Any]]:
        """The stack's backend and its settings; a local state's path is relative to the folder."""
        path = self.folder / "cdk.tf.json"
        found = json.loads(path.read_text()).get("terraform", {}).get("backend", {}) if path.is_file() else {}
        return dict(found)

    def command(self, name: str, *args: str, **options: Any) -> list[str]:
        """The command line, as it is run."""
        line = list(self._line.generate_cmd_string(name, *args, **options))
        return [line[0], f"-chdir={self.folder}", *line[1:]]

    def _run(self, name: str, *args: str, **options: Any) -> Completed:
        argv = self.command(name, *args, **options)
        log = None if name == "state pull" else self.log
        return self._unlocked(lambda: run(Command(argv, env=self._env, log=log, private=True)))

    def _unlocked(self, act: Callable[[], Completed]) -> Completed:
        """Do it; once more when the lock that is in the way was left by a dead run of ours."""
        try:
            return act()
        except CommandFailed as error:
            error.hint = error.hint or _hint(error.tail)
            held = refusal(error.tail, self.folder)
            if held is None or self._locks is None or not self._locks.release(self._backend(), held.lock):
                raise held or error from None
        self._locks.told(f"{held.message}, by a run of ours that was killed: released")
        try:
            return act()
        except CommandFailed as error:
            raise refusal(error.tail, self.folder) or error from None

    def _change(self, name: str, on_resource: Callable[[str], None] | None, **options: Any) -> Applied:
        summary: dict[str, int] = {}

        def see(message: dict[str, Any]) -> None:
            if message.get("type") == "change_summary":
                summary.update({key: value for key, value in message["changes"].items() if key != "operation"})
            elif message.get("type") == "apply_start" and on_resource:
                on_resource(message["hook"]["resource"]["addr"])

        flags = {"json": IsFlagged, "auto_approve": IsFlagged, "input": False, "lock_timeout": LOCK_TIMEOUT}
        self._events(name, see, **flags, **options)
        return Applied(summary.get("add", 0), summary.get("change", 0), summary.get("remove", 0))

    def _events(self, name: str, see: Callable[[dict[str, Any]], None], **options: Any) -> None:
        argv = self.command(name, **options)
        self._unlocked(lambda: self._told(argv, see))

    def _told(self, argv: list[str], see: Callable[[dict[str, Any]], None]) -> Completed:
        """Run with -json, hand each message on; errors become CommandFailed with the diagnostics as tail, and with
        the last lines of each provisioner that failed."""
        errors: list[str] = []
        outputs: dict[str, deque[str]] = {}
        pids: list[int] = []

        def line(text: str) -> None:
            try:
                message = json.loads(text)
            except ValueError:
                return
            if message.get("type") == "diagnostic" and message.get("@level") == "error":
                errors.append(_diagnostic(message["diagnostic"]))
            elif message.get("type") == "provision_progress":
                _keep(outputs, message["hook"])
            elif message.get("type") == "provision_errored":
                errors.extend(outputs.pop(message["hook"]["resource"]["addr"], ()))
            elif message.get("type") in HOLDS_LOCK and self._locks and pids:
                self._locks.look(self._backend(), pids.pop())
            see(message)

        done = run(
            Command(argv, env=self._env, log=self.log, private=True), check=False, on_line=line, on_start=pids.append
        )
        if done.code != 0:
            tail = redact("\n".join(dict.fromkeys(errors))) or done.tail
            raise CommandFailed(argv, done.code, tail, log=self.log, hint=_hint(tail))
        return done


def parse_state(text: str) -> State | None:
    """A state from its JSON; None when there is nothing. Raises ValueError when it is not whole."""
    if not text.strip():
        return None
    data = json.loads(text)
    if not isinstance(data, dict) or "lineage" not in data or "serial" not in data:
        raise ValueError("not a Terraform state")
    if not data["lineage"] and not data.get("resources"):  # what `state pull` makes of a backend that has none
        return None
    return State(int(data["serial"]), str(data["lineage"]), tuple(data.get("resources") or ()))


def forgettable(state: State) -> list[str]:
    """What leaves a state when the cluster is lost: what lived in it, by provider address, and the records of what
    was made (`terraform_data`).

    The records are forgotten, never replaced: replacing runs the destroy provisioner, which would delete a cluster
    that after all is not lost; creating is idempotent by name and accepts what exists (design, section 6).
    """
    records = [one for one in state.addresses() if "terraform_data" in one.split(".")]
    return [*state.addresses(in_cluster=True), *records]


def address_of(item: Mapping[str, Any]) -> str:
    """The address of a resource in a state."""
    return ".".join(filter(None, (item.get("module"), item["type"], item["name"])))


def _lives_in_cluster(item: Mapping[str, Any]) -> bool:
    provider = str(item.get("provider", ""))
    return '/kubernetes"' in provider or '/helm"' in provider


def _diagnostic(diagnostic: Mapping[str, Any]) -> str:
    where = f" ({diagnostic['address']})" if diagnostic.get("address") else ""
    return "\n".join(filter(None, (f"{diagnostic['summary']}{where}", diagnostic.get("detail", ""))))


def _keep(outputs: dict[str, deque[str]], hook: Mapping[str, Any]) -> None:
    """What a provisioner prints on its host; how it got there is of no interest any more."""
    address, text = hook["resource"]["addr"], hook["output"]
    if text == "Connected!":
        outputs[address] = deque(maxlen=TAIL_LINES)
    elif text.startswith("Connecting to remote host"):
        outputs.pop(address, None)
    elif address in outputs:
        outputs[address].append(text)


def _hint(tail: str) -> str:
    if "knownhosts: key" in tail:
        return (
            "the host shows a key that known_hosts lacks (all its types belong there): compare with its console first"
        )
    if any(words in tail for words in NO_ENTRY):
        return "the backend of the states wants credentials, from the environment: AWS_… for s3, TF_HTTP_… for http"
    if "blackstart recover" in tail or "already exists" in tail or "still in use" in tail:
        return "an earlier run was interrupted here, or this is another cluster: blackstart recover"
    return "read the log, mend the cause, then: blackstart up"
