"""Rotates the Age key so that the cluster can decrypt at every moment; killed anywhere, it goes on where it stands.

The five steps of issue 5: new key beside the old one, both recipients in Git, layers Ready there, the old recipient
out and new data keys, the old key out. Each looks first at what is there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from blackstart import toolchain
from blackstart.config import load
from blackstart.errors import GateBroken, KeyProblem, Unsafe
from blackstart.keys import rotation as rotating
from blackstart.keys import rules
from blackstart.keys.rotation import Phase, Rotation
from blackstart.keys.verify import live_key
from blackstart.progress import StepNote
from blackstart.steps.apply import ApplyKey, ApplySingle
from blackstart.steps.layers import WaitLayers
from blackstart.steps.prepare import PinCommit, Publish, Synthesize
from blackstart.steps.run import Run
from blackstart.tools.age import THROWAWAY, FoundKey, find_key, key_file
from blackstart.tools.gitindex import Index
from blackstart.tools.sops import Sops


class CommitNeeded(Unsafe):
    """The rotation goes on when this change is committed (and pushed); `diff` shows it."""

    def __init__(self, diff: str, cluster: str) -> None:
        super().__init__(
            "the next step waits for a commit: the cluster must have this change before anything else goes",
            hint=f"commit and push it, then again: blackstart --cluster {cluster} keys rotate (or give --commit)",
        )
        self.diff = diff


@dataclass(frozen=True, slots=True)
class BeginRotation:
    """A new key beside the old one in the key file, unless a rotation is under way."""

    name: str = "key"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises KeyProblem when the key does not lie in its file, Unsafe when it would be published."""
        found = find_key(run.ws, run.config)
        path = key_file(run.ws)
        if found.path is None or found.path.resolve() != path.resolve():
            raise KeyProblem(
                f"a rotation writes keys/{path.name}, but the key was found in {found.where}",
                hint=f"put it there: blackstart --cluster {run.ws.cluster} keys restore FILE; unset {found.where}",
            )
        rotation = rotating.pending(path)
        if rotation is None:
            _require_untracked(run, path, found)
            _require_saved(run, found)
            run.cluster()
            rotation = rotating.begin(path, found, tuple(run.config.sops.recipients))
            note.text = f"a new key, {rotation.new}"
        else:
            note.text = f"goes on to {rotation.new}"
        run.found_key = find_key(run.ws, run.config)


@dataclass(frozen=True, slots=True)
class BothKeys:
    """The new key beside the old one in Secret `sops-age`."""

    name: str = "sops-age"

    def run(self, run: Run, note: StepNote) -> None:
        """Through the cluster file and terraform, so that a later `up` changes nothing."""
        rotation = under_way(run)
        if _phase(run, rotation) is Phase.NEW:
            note.skipped = True
            return
        if rotation.new not in run.config.sops.recipients:
            _edit_cluster(run, rotation.add_new)
        _apply_key(run, note)


@dataclass(frozen=True, slots=True)
class BothRecipients:
    """Both recipients into `.sops.yaml` and into every file, committed."""

    commit: bool
    name: str = "recipients"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises CommitNeeded without `commit`."""
        rotation = under_way(run)
        if _committed_phase(run, rotation) is not Phase.OLD:
            note.skipped = True
            return
        _edit_rules(run, rotation.add_new)
        _update_files(run, rotation)
        _settle(run, rotation, f"Let {rotation.new} decrypt too", commit=self.commit)


@dataclass(frozen=True, slots=True)
class Deployed:
    """Every layer Ready at a commit that has reached this phase."""

    phase: Phase
    name: str = "layers"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises Unsafe when the remote does not have the commit yet."""
        rotation = under_way(run)
        if self.phase is Phase.BOTH and _committed_phase(run, rotation) is Phase.NEW:
            note.skipped = True
            return
        if run.tree is not None:
            shutil.rmtree(run.tree, ignore_errors=True)
        PinCommit().run(run, note)
        deployed = rotation.phase(run.git.read(run.commit, rules.FILE))
        if deployed is not self.phase:
            raise Unsafe(
                f"the commit to deploy, {run.commit.short}, does not have the change yet", hint="git push, then again"
            )
        Publish().run(run, note)
        note.skipped = False
        WaitLayers().run(run, note)


@dataclass(frozen=True, slots=True)
class OldRecipientOut:
    """New data keys, then the old recipient out of every file and `.sops.yaml`, committed."""

    commit: bool
    name: str = "data-keys"

    def run(self, run: Run, note: StepNote) -> None:
        """The data keys come first: a file that names the new recipient alone has a new one for certain."""
        rotation = under_way(run)
        if _committed_phase(run, rotation) is Phase.NEW:
            note.skipped = True
            return
        if _phase(run, rotation) is Phase.BOTH:
            head = run.git.head()
            for file in rotating.sealed_files(run.ws.root, rotation):
                if rotating.same_data_key(file, run.git.read(head, file.name), run.key):
                    _sops(run).rotate(file.name)
            (run.ws.root / "keys" / f"{run.ws.cluster}.pub").write_text(rotation.new + "\n")
            _edit_cluster(run, rotation.drop_old)
            _edit_rules(run, rotation.drop_old)
        _update_files(run, rotation)
        _settle(run, rotation, f"Let {rotation.old} decrypt no longer", commit=self.commit)


@dataclass(frozen=True, slots=True)
class OldKeyOut:
    """The old key out of the Secret, then out of the key file."""

    name: str = "old-key"

    def run(self, run: Run, note: StepNote) -> None:
        """Raises GateBroken when the Secret keeps it. The old key is kept aside for the repository's history."""
        rotation = under_way(run)
        both = run.key
        run.found_key = rotating.without_old(both, rotation)
        _apply_key(run, note)
        if rotation.old in live_key(run.cluster()).recipients:
            _replace_secret(run)
        if rotation.old in live_key(run.cluster()).recipients:
            raise GateBroken("Secret sops-age still holds the old key", hint="blackstart keys verify")
        kept = rotating.retire(key_file(run.ws), both, rotation)
        run.notes += [
            f"the old key is kept in keys/{kept.name}: delete it when no old commit is needed",
            f"backups of the key hold the old one alone: blackstart --cluster {run.ws.cluster} keys backup --out FILE",
        ]


def under_way(run: Run) -> Rotation:
    """The rotation that the key file names. Raises KeyProblem when there is none."""
    found = rotating.pending(key_file(run.ws))
    if found is None:
        raise KeyProblem("no rotation is under way", hint=f"blackstart --cluster {run.ws.cluster} keys rotate")
    return found


def _phase(run: Run, rotation: Rotation) -> Phase:
    return rotation.phase((run.ws.root / rules.FILE).read_text())


def _committed_phase(run: Run, rotation: Rotation) -> Phase:
    return rotation.phase(run.git.read(run.git.head(), rules.FILE))


def _sops(run: Run) -> Sops:
    return Sops(toolchain.path("sops"), run.ws.root, key_file(run.ws))


def _edit_cluster(run: Run, change: rules.Change) -> None:
    path = run.ws.root / "clusters" / f"{run.ws.cluster}.yaml"
    path.write_text(rules.edit_cluster(path.read_text(), run.ws.cluster, change))
    run.config = load(run.ws.root, run.ws.cluster)


def _edit_rules(run: Run, change: rules.Change) -> None:
    path = run.ws.root / rules.FILE
    path.write_text(rules.edit_rules(path.read_text(), change))


def _update_files(run: Run, rotation: Rotation) -> None:
    for name in rotating.stale(run.ws.root, rotating.sealed_files(run.ws.root, rotation)):
        _sops(run).updatekeys(name)


def _touched(run: Run, rotation: Rotation) -> list[str]:
    own = [rules.FILE, f"clusters/{run.ws.cluster}.yaml", f"keys/{run.ws.cluster}.pub"]
    files = [file.name for file in rotating.sealed_files(run.ws.root, rotation)]
    return [name for name in (*own, *files) if (run.ws.root / name).is_file()]


def _settle(run: Run, rotation: Rotation, message: str, *, commit: bool) -> None:
    index = Index(run.ws.root)
    changed = index.changed(_touched(run, rotation))
    if changed and not commit:
        raise CommitNeeded(index.diff(changed), run.ws.cluster)
    if changed:
        index.commit(changed, message)


def _apply_key(run: Run, note: StepNote) -> None:
    Synthesize().run(run, note)
    step = ApplySingle() if run.config.state.layout == "single" else ApplyKey()
    step.run(run, note)


def _replace_secret(run: Run) -> None:
    stack = next(one for one in run.manifest.stacks if one.part in ("sops-age", "single"))
    address = next(one.address for one in stack.resources() if one.name == "sops-age")
    run.applied[stack.id] = run.terraform(stack).apply(replace=(address,))


def _require_untracked(run: Run, path: Path, key: FoundKey) -> None:
    name = f"keys/{path.name}"
    if Index(run.ws.root).tracked(name):
        what = "holds the published throwaway key and " if THROWAWAY in key.recipients else ""
        raise Unsafe(
            f"{name} {what}is tracked by Git: the new key would be published with the next commit",
            hint=f"git rm --cached {name}; take the line !{name} out of .gitignore; git commit; then again. "
            f"From then on this file is the only copy: blackstart --cluster {run.ws.cluster} keys backup",
        )


def _require_saved(run: Run, key: FoundKey) -> None:
    """The rotation commits whole files: somebody's unfinished work must not slip in. And the key opens its files."""
    own = Rotation(key.recipients[0], key.recipients[0])
    changed = Index(run.ws.root).changed(_touched(run, own))
    if changed:
        raise Unsafe(f"not committed yet: {', '.join(changed)}", hint="commit or stash it, then again")
    for file in rotating.sealed_files(run.ws.root, own):
        if own.old in file.recipients:
            file.verify(key)
