"""Data hooks: layers after a hook are born suspended, until what they need has been restored (issue 4).

Which hooks are due is kept beside the states until the cluster can keep it itself: whoever goes on, from wherever,
finds it in ConfigMap `blackstart-hooks`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from blackstart.config.model import Hook
from blackstart.config.workspace import write_private
from blackstart.errors import CommandFailed, ConfigError
from blackstart.gates import Broken, Object, Outcome, Ready, Snapshot, Waiting, condition
from blackstart.gates.flux import NAMESPACE
from blackstart.layers import Layer
from blackstart.progress import StepNote
from blackstart.steps.apply import apply_stack
from blackstart.steps.layers import WaitLayers
from blackstart.steps.run import Run
from blackstart.tools.kubernetes import Cluster, path_of
from blackstart.tools.process import Command
from blackstart.tools.process import run as run_program
from blackstart.waiting import Wait, Watched, wait_for

RECORD = "blackstart-hooks"
IDENTITY = "blackstart/identity"
PENDING, DONE, SKIPPED = "pending", "done", "skipped"
FAILED_PHASES = ("Failed", "PartiallyFailed", "FailedValidation", "Error")


@dataclass(frozen=True, slots=True)
class DemandHooks:
    """Note which data has to be restored, before anything is forgotten: a killed recovery is gone on with."""

    hooks: tuple[Hook, ...]
    name: str = "hooks"

    def run(self, run: Run, note: StepNote) -> None:
        """Beside the states; `HoldLayers` moves it into the cluster as soon as there is one."""
        in_order(self.hooks, run.layers)
        write_private(run.ws.hooks, json.dumps({hook.name: PENDING for hook in self.hooks}))
        note.text = ", ".join(hook.name for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class HoldLayers:
    """Let the layers after a hook that is due be born suspended."""

    hooks: tuple[Hook, ...]
    skipped: tuple[str, ...] = ()
    name: str = "hold"

    def run(self, run: Run, note: StepNote) -> None:
        """Moves the note into the cluster. Raises ConfigError for a hook after an unknown layer."""
        in_order(self.hooks, run.layers)
        record = due(run, self.skipped)
        run.suspended = held([hook for hook in self.hooks if record.get(hook.name) == PENDING], run.layers)
        note.skipped = not run.suspended
        note.text = f"{', '.join(run.suspended)} held back" if run.suspended else ""


@dataclass(frozen=True, slots=True)
class RunHook:
    """Restore data between two layers, then let the layers after it go on."""

    hook: Hook
    hooks: tuple[Hook, ...]

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return f"hook-{self.hook.name}"

    def run(self, run: Run, note: StepNote) -> None:
        """Once for a cluster identity. Raises what its program, its manifests or its condition raise."""
        record = due(run)
        if record.get(self.hook.name) != PENDING:
            note.skipped = True
            note.text = record.get(self.hook.name, "not due")
            return
        WaitLayers(until=(self.hook.after,)).run(run, StepNote())
        cluster = run.cluster()
        self._act(run, cluster)
        self._wait(run, cluster)
        remember(cluster, {**record, self.hook.name: DONE})
        left = [hook for hook in self.hooks if record.get(hook.name) == PENDING and hook.name != self.hook.name]
        released = self._release(run, cluster, held(left, run.layers))
        note.text = f"{', '.join(released)} released" if released else "done"

    def _act(self, run: Run, cluster: Cluster) -> None:
        if self.hook.apply:
            for body in manifests(run, self.hook):
                run.progress.waiting(self.name, f"{body['kind']}/{body['metadata']['name']}")
                cluster.apply(body, path=cluster.path_for(body))
            return
        log = run.folder / "logs" / f"{self.name}.log"
        env = {"KUBECONFIG": str(run.ws.kubeconfig), "BLACKSTART_CLUSTER": run.ws.cluster}
        command = Command(self.hook.run, cwd=run.ws.root, env=env, timeout=self.hook.timeout, log=log)
        try:
            run_program(command)
        except CommandFailed as error:
            hint = f"mend it, then: blackstart up; or go on without: blackstart recover --skip-hook {self.hook.name}"
            raise CommandFailed(error.argv, error.code, error.tail, log=log, hint=hint) from None

    def _wait(self, run: Run, cluster: Cluster) -> None:
        wanted = self.hook.wait
        if wanted is None:
            return
        namespace = wanted.namespace if cluster.learn(wanted.kind) else ""

        def gate(snapshot: Snapshot) -> Outcome:
            return met(snapshot.get((wanted.kind, namespace, wanted.name)), wanted.condition)

        hint = f"look at it, then: blackstart up; or blackstart recover --skip-hook {self.hook.name}"
        wait = Wait(f"hook {self.hook.name}", (Watched(wanted.kind, namespace),), self.hook.timeout, hint)
        wait_for(cluster, wait, gate, lambda why: run.progress.waiting(self.name, why))

    def _release(self, run: Run, cluster: Cluster, still_held: tuple[str, ...]) -> tuple[str, ...]:
        """The second apply of the flux stack, and the moment when Flux has taken it in."""
        freed = tuple(name for name in run.suspended if name not in still_held)
        run.suspended = still_held
        apply_stack(run, run.manifest.stack("flux"))

        def gate(snapshot: Snapshot) -> Outcome:
            for name in freed:
                thing = snapshot.get(("Kustomization", NAMESPACE, name))
                if thing is not None and thing["spec"].get("suspend"):
                    return Waiting(f"{name} is still suspended")
            return Ready()

        wait = Wait("release", (Watched("Kustomization", NAMESPACE),), run.config.timeouts.flux)
        wait_for(cluster, wait, gate, lambda why: run.progress.waiting(self.name, why))
        return freed


def in_order(hooks: Sequence[Hook], layers: Sequence[Layer]) -> None:
    """Raises ConfigError for a hook after a layer that is not there, or before one that waits for it."""
    names = [layer.name for layer in layers]
    for hook in hooks:
        if hook.after not in names:
            raise ConfigError(
                f"recover.hooks: {hook.name} comes after {hook.after}, which is no layer",
                hint=f"the layers are: {', '.join(names)}",
            )
    for number, hook in enumerate(hooks):
        if hook.after in held(hooks[number + 1 :], layers):
            raise ConfigError(
                f"recover.hooks: {hook.name} waits for a layer that a later hook holds back",
                hint="put the hooks into the order of the layers that they follow",
            )


def held(hooks: Sequence[Hook], layers: Sequence[Layer]) -> tuple[str, ...]:
    """The layers that have to wait for these hooks: all that depend on one's layer, however far."""
    behind = {hook.after for hook in hooks}
    found: list[str] = []
    for layer in layers:  # dependencies come first
        if not behind.isdisjoint(layer.depends_on):
            found.append(layer.name)
            behind.add(layer.name)
    return tuple(found)


def met(thing: Object | None, wanted: str) -> Outcome:
    """Whether an object has a condition that is True, or a `status.phase`, of that name."""
    if thing is None:
        return Waiting("it is not there yet")
    phase = str((thing.get("status") or {}).get("phase", ""))
    if condition(thing, wanted).get("status") == "True" or phase == wanted:
        return Ready()
    if phase in FAILED_PHASES:
        return Broken(f"phase {phase}")
    found = condition(thing, wanted)
    return Waiting(found.get("message") or f"phase {phase or 'none'}, not yet {wanted}")


def manifests(run: Run, hook: Hook) -> Iterator[dict[str, Any]]:
    """The objects of a file, or of a folder's files in the order of their names."""
    path = run.ws.root / hook.apply
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ConfigError(f"recover.hooks: {hook.name}: {hook.apply} holds no manifest", hint="check recover.hooks")
    for file in files:
        for body in YAML(typ="safe").load_all(file.read_text()):
            if isinstance(body, dict) and "sops" in body:
                raise ConfigError(f"{file} is encrypted: a hook applies clear manifests", hint="put it into a layer")
            if body:
                yield body


def due(run: Run, skipped: Collection[str] = ()) -> dict[str, str]:
    """How each hook stands: what this very cluster remembers, and what was noted before there was one."""
    noted = _noted(run)
    home = _home(run)
    record = {**(_remembered(home) if home else {}), **noted}
    given_up = [name for name in skipped if record.get(name) == PENDING]
    for name in given_up:
        run.progress.warning(f"hook {name} is skipped: its data is not restored")
    record.update(dict.fromkeys(given_up, SKIPPED))
    if home and (noted or given_up):
        remember(home, record)
        run.ws.hooks.unlink(missing_ok=True)
    elif given_up:
        write_private(run.ws.hooks, json.dumps(record))
    return record


def remember(cluster: Cluster, record: dict[str, str]) -> None:
    """Keep in the cluster how each hook stands, for this identity alone."""
    metadata = {"name": RECORD, "namespace": NAMESPACE, "annotations": {IDENTITY: cluster.identity().uid}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": record}
    cluster.apply(body, path=f"{path_of('ConfigMap', NAMESPACE)}/{RECORD}")


def _noted(run: Run) -> dict[str, str]:
    try:
        return dict(json.loads(run.ws.hooks.read_text()))
    except (OSError, ValueError):
        return {}


def _home(run: Run) -> Cluster | None:
    """The cluster, once it has a place for the record."""
    if run.config.state.layout == "single" and not run.provider.exists().running:
        return None
    cluster = run.cluster()
    return cluster if cluster.get("Namespace", NAMESPACE) else None


def _remembered(cluster: Cluster) -> dict[str, str]:
    """Of another identity it is void: that cluster's data came from elsewhere."""
    found = cluster.get("ConfigMap", RECORD, NAMESPACE)
    if found is None or (found["metadata"].get("annotations") or {}).get(IDENTITY) != cluster.identity().uid:
        return {}
    return dict(found.get("data") or {})
