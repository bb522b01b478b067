"""The record of a run on disk: `runs/<id>/{events.jsonl,report.json,logs/}` (design, section 4)."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from blackstart.config import Workspace
from blackstart.config.workspace import make_private, write_private
from blackstart.errors import ToolFailed
from blackstart.progress import Event
from blackstart.report.timeline import Timeline

KEPT = 50
UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of a run: `started` in ISO 8601 (UTC), `seconds` it took."""

    name: str
    started: str
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Report:
    """What `report.json` says. `outcome` is ready, unchanged, failed, interrupted or unfinished (killed)."""

    command: str
    cluster: str
    commit: str
    started: str
    finished: str
    seconds: float
    outcome: str
    phases: tuple[Phase, ...] = ()
    verified: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path = Path()

    @property
    def path(self) -> Path:
        """The file it is kept in."""
        return self.folder / "report.json"

    @property
    def good(self) -> bool:
        """Whether the run got where it was meant to go."""
        return self.outcome in ("ready", "unchanged", "passed")

    def to_json(self) -> dict[str, Any]:
        """The content of `report.json`."""
        content = asdict(self)
        del content["folder"]
        return content


@dataclass(slots=True)
class RunRecord:
    """A sink that appends each event to `events.jsonl`; `finish` writes `report.json`."""

    workspace: Workspace
    command: str
    folder: Path
    redact: Callable[[str], str]
    clock: Callable[[], float]
    opened: float
    _file: TextIO
    timeline: Timeline = field(default_factory=Timeline)
    _lost: bool = False

    @property
    def id(self) -> str:
        """The name of the run's folder: when it began, in UTC."""
        return self.folder.name

    @property
    def logs(self) -> Path:
        """The folder of the run's logs."""
        return self.folder / "logs"

    def __call__(self, event: Event) -> None:
        """Append an event. A full disk costs the record, not the run."""
        self.timeline(event)
        told = {key: self.redact(value) if isinstance(value, str) else value for key, value in asdict(event).items()}
        line = json.dumps(told, ensure_ascii=False)
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError:
            self._lost = True

    def finish(
        self, outcome: str, commit: str, verified: Mapping[str, int] | None = None, notes: Sequence[str] = ()
    ) -> Report:
        """Write `report.json` whole or not at all, mode 0600. `verified` counts layers and secrets.

        Raises ToolFailed when it can not be written.
        """
        told = [*notes, *self.timeline.warnings, *(["events are missing: the disk was full"] if self._lost else [])]
        now = self.clock()
        report = replace(
            _derived(self.folder, self.timeline),
            command=self.command,
            commit=commit,
            started=iso(self.opened),
            finished=iso(now),
            seconds=round(now - self.opened, 3),
            outcome=outcome,
            verified={"layers": 0, "secrets": 0, **(verified or {})},
            notes=tuple(self.redact(note) for note in told),
        )
        try:
            self._file.close()
            write_private(report.path, json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise ToolFailed(f"{report.path} can not be written: {error.strerror}", hint="free some space") from None
        return report


def open_run(
    workspace: Workspace,
    command: str,
    *,
    redact: Callable[[str], str] = str,
    clock: Callable[[], float] = time.time,
) -> RunRecord:
    """Begin the record of a run of `command`, and forget all but the newest runs.

    `redact` is applied to every line that is written; `clock` gives seconds since the epoch.
    """
    make_private(workspace.runs)
    for old in sorted(_folders(workspace), reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    opened = clock()
    folder = _new_folder(workspace.runs, opened)
    make_private(folder / "logs")
    handle = os.open(folder / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    file = os.fdopen(handle, "w", encoding="utf-8")
    return RunRecord(workspace, command, folder, redact, clock, opened, file)


def history(workspace: Workspace) -> list[Report]:
    """Every stored run, the oldest first; one that was killed has the outcome `unfinished`."""
    return [report for folder in sorted(_folders(workspace)) if (report := _read(folder)) is not None]


def last(workspace: Workspace) -> Report | None:
    """The newest stored run."""
    runs = history(workspace)
    return runs[-1] if runs else None


def events(folder: Path) -> Iterator[Event]:
    """The recorded events of a run; a line that a kill has cut off is left out."""
    path = folder / "events.jsonl"
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield Event(**json.loads(line))
        except (ValueError, TypeError):
            continue


def timeline(folder: Path) -> Timeline:
    """The recorded run, folded."""
    folded = Timeline()
    for event in events(folder):
        folded(event)
    return folded


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(folder: Path) -> Report | None:
    try:
        content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        phases = tuple(Phase(**phase) for phase in content.pop("phases"))
        notes = tuple(content.pop("notes", ()))
        return Report(**content, phases=phases, notes=notes, folder=folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    run = timeline(folder)
    return _derived(folder, run) if run.header else None


def _derived(folder: Path, run: Timeline) -> Report:
    """What the events alone tell of a run."""
    phases = tuple(
        Phase(span.step, iso(run.began + span.started), round(span.seconds(run.elapsed), 3), span.status)
        for span in run.children()
    )
    command, _, _ = run.header.partition(" ")
    began, ended = iso(run.began), iso(run.began + run.elapsed)
    seconds = round(run.elapsed, 3)
    return Report(command, folder.parent.parent.name, "", began, ended, seconds, UNFINISHED, phases, folder=folder)


def _folders(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.runs.glob("*") if path.is_dir()]


def _new_folder(runs: Path, now: float) -> Path:
    """A folder whose name sorts by time; two runs of one millisecond get two names."""
    while True:
        second = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        folder = runs / f"{second}-{int(now * 1000) % 1000:03d}"
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            now += 0.001
