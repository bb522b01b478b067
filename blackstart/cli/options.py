"""What every command is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the main command: `output` is text or json, `root` the repository."""

    root: Path
    clusters: tuple[str, ...]
    output: str
    debug: bool
