"""Terraform that runs elsewhere: the same methods as `Terraform`, carried out by the API of HCP Terraform."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blackstart.errors import ToolFailed
from blackstart.tools.cloud_run import CloudRun, Following
from blackstart.tools.terraform import Applied, Planned, Terraform, address_of, parse_state
from blackstart.tools.terraform_cloud import TerraformCloud, Thing

LEFT_OUT = re.compile(r"\.terraform|terraform\.d|errored\.tfstate|.*\.tfstate(\.backup)?")
ADOPTED = "blackstart-adopt.tf.json"
CREATING = re.compile(r"(\S+): (?:Creating|Modifying|Destroying|Importing)\.\.\.")
UPLOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a stack's runs are: its workspace, the variables of its runs (never a secret: they are kept in clear).

    `secrets` are the values that its sensitive variables should have. `keep` gets each state before it is replaced.
    """

    cloud: TerraformCloud
    organization: str
    workspace: str
    following: Following
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    keep: Callable[[str], None] = field(default=lambda text: None)


class RemoteTerraform(Terraform):
    """One stack whose runs HCP Terraform or an agent carries out.

    Imports travel as `import` blocks with the next apply. The state is changed by the API, under the workspace's lock.
    """

    def __init__(self, folder: Path, elsewhere: Elsewhere) -> None:
        super().__init__(folder, binary=Path("terraform"), log=elsewhere.following.log)
        self._at = elsewhere
        self._cloud = elsewhere.cloud
        self._imports: list[dict[str, str]] = []

    def init(self) -> None:
        """The run itself does that."""

    def apply(self, *, replace: tuple[str, ...] = (), on_resource: Callable[[str], None] | None = None) -> Applied:
        """A run that applies by itself what it may; what it may not is waited for.

        What is replaced had the wrong content: the workspace's secrets are written anew before.
        """
        if replace:
            self._renew_secrets()
        done = self._run_there({"auto-apply": True, "replace-addrs": list(replace)}, on_resource)
        self._imports = []
        return self._counts(done)

    def destroy(self, *, on_resource: Callable[[str], None] | None = None) -> Applied:
        """A run that destroys all that the stack holds."""
        return self._counts(self._run_there({"auto-apply": True, "is-destroy": True}, on_resource))

    def plan(self, *, destroy: bool = False) -> list[Planned]:
        """A speculative run: nothing can be applied from it."""
        run = self._run_there({"plan-only": True, "is-destroy": destroy}, None)
        plan = self._cloud.json(f"plans/{run.related['plan']}/json-output-redacted")
        found = ((one["address"], tuple(one["change"]["actions"])) for one in plan.get("resource_changes") or ())
        return [Planned(address, actions) for address, actions in found if actions not in (("no-op",), ("read",))]

    def pull_text(self) -> str:
        """The current state version; blank when there is none."""
        version = self._cloud.find(f"workspaces/{self._id()}/current-state-version")
        if version is None:
            return ""
        return self._cloud.download(version.attributes["hosted-state-download-url"]).decode()

    def push(self, file: Path, *, force: bool = False) -> None:
        """Make `file` the state; the server checks serial and lineage unless `force`."""
        with self._locked("blackstart: a state is pushed"):
            self._at.keep(self.pull_text())
            self._push(file.read_text(), force=force)

    def forget(self, addresses: list[str]) -> None:
        """Remove resources from the state; the resources themselves stay."""
        if not addresses:
            return
        with self._locked("blackstart: resources of a lost cluster are forgotten"):
            text = self.pull_text()
            self._at.keep(text)
            data = json.loads(text)
            data["resources"] = [one for one in data["resources"] if address_of(one) not in addresses]
            data["serial"] += 1
            self._push(json.dumps(data))

    def adopt(self, address: str, identifier: str) -> None:
        """Import an existing object, with the next apply."""
        self._imports.append({"to": address, "id": identifier})

    def force_unlock(self, lock_id: str) -> None:
        """Release the workspace's lock, whoever holds it."""
        self._cloud.act(f"workspaces/{self._id()}/actions/force-unlock")

    def _id(self) -> str:
        at = self._at
        return self._cloud.get(f"organizations/{at.organization}/workspaces/{at.workspace}").id

    def _renew_secrets(self) -> None:
        path = f"workspaces/{self._id()}/vars"
        for one in list(self._cloud.list(path)):
            value = self._at.secrets.get(str(one.attributes["key"]))
            if value is not None and one.attributes["category"] == "terraform":
                self._cloud.change(f"{path}/{one.id}", "vars", {"value": value, "sensitive": True})

    def _run_there(self, options: Mapping[str, Any], on_resource: Callable[[str], None] | None) -> Thing:
        workspace = self._id()
        version = self._uploaded(workspace, speculative=bool(options.get("plan-only")))
        variables = [{"key": key, "value": json.dumps(value)} for key, value in self._at.variables.items()]
        attributes = {"message": "blackstart", "refresh": True, "variables": variables, **options}
        related = {"workspace": ("workspaces", workspace), "configuration-version": ("configuration-versions", version)}
        run = self._cloud.create("runs", "runs", attributes, related)

        def line(text: str) -> None:
            address = _begun(text)
            if address and on_resource:
                on_resource(address)

        at = self._at
        link = f"https://{self._cloud.hostname}/app/{at.organization}/workspaces/{at.workspace}/runs/{run.id}"
        return CloudRun(self._cloud, run, link, replace(at.following, on_line=line)).follow()

    def _uploaded(self, workspace: str, *, speculative: bool) -> str:
        attributes = {"auto-queue-runs": False, "speculative": speculative}
        path = f"workspaces/{workspace}/configuration-versions"
        version = self._cloud.create(path, "configuration-versions", attributes)
        self._cloud.upload(version.attributes["upload-url"], slug(self.folder, self._imports))
        deadline = self._cloud.clock() + UPLOAD_SECONDS
        while True:
            status = self._cloud.get(f"configuration-versions/{version.id}").attributes["status"]
            if status == "uploaded":
                return version.id
            if status == "errored" or self._cloud.clock() > deadline:
                raise ToolFailed(
                    f"{self._at.workspace}: the upload of {self.folder} is {status}", hint="the same again"
                )
            self._cloud.pause(1.0)

    def _counts(self, run: Thing) -> Applied:
        if run.attributes["status"] != "applied":
            return Applied(0, 0, 0)
        done = self._cloud.get(f"applies/{run.related['apply']}").attributes
        kinds = ("additions", "changes", "destructions", "imports")
        added, changed, removed, imported = (int(done.get(f"resource-{kind}") or 0) for kind in kinds)
        return Applied(added, changed + imported, removed)

    def _push(self, text: str, *, force: bool = False) -> None:
        state = parse_state(text)
        if state is None:
            raise ToolFailed(f"{self._at.workspace}: an empty state is not pushed", hint="blackstart recover")
        raw = text.encode()
        attributes = {
            "serial": state.serial,
            "lineage": state.lineage,
            "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest(),
            "state": base64.b64encode(raw).decode(),
            "force": force,
        }
        self._cloud.create(f"workspaces/{self._id()}/state-versions", "state-versions", attributes)

    @contextmanager
    def _locked(self, reason: str) -> Iterator[None]:
        """Hold the workspace's lock. Raises Locked when a run or somebody else holds it."""
        workspace = self._id()
        self._cloud.act(f"workspaces/{workspace}/actions/lock", reason=reason)
        try:
            yield
        finally:
            self._cloud.act(f"workspaces/{workspace}/actions/unlock")


def slug(folder: Path, imports: list[dict[str, str]]) -> bytes:
    """What a remote run gets: the stack's folder as tar.gz, without what terraform has put there on this machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", dereference=True) as tar:
        for path in sorted(folder.iterdir()):
            if not LEFT_OUT.fullmatch(path.name):
                tar.add(path, path.name, filter=_nobodys)
        if imports:
            text = json.dumps({"import": imports}).encode()
            entry = tarfile.TarInfo(ADOPTED)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _begun(line: str) -> str:
    """The resource that a line of a log says is worked on: plain text, or terraform's JSON (structured output)."""
    if line.startswith("{"):
        try:
            message = json.loads(line)
        except ValueError:
            return ""
        started = isinstance(message, dict) and message.get("type") == "apply_start"
        return str(message["hook"]["resource"]["addr"]) if started else ""
    match = CREATING.match(line)
    return match[1] if match else ""
