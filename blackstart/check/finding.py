"""What `check` reports: one thing that stands in the way, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from blackstart.errors import BlackstartError, ConfigError, KeyProblem, MissingTool, Unsafe
from blackstart.tools.manifests import Place


class Severity(StrEnum):
    """An error stops `up` or `recover`; a warning does not, but belongs mended."""

    ERROR = "error"
    WARNING = "warning"


KEY_FINDINGS = frozenset(
    {
        "key-missing",
        "key-malformed",
        "key-published",
        "key-not-recipient",
        "key-secret-malformed",
        "key-secret-without-agekey",
        "secret-does-not-open",
        "secret-mac-invalid",
    }
)

UNSAFE_FINDINGS = frozenset({"builtin-elsewhere"})


@dataclass(frozen=True, slots=True)
class Finding:
    """`id` is kebab-case and stable; `file` is relative to the repository, `line` counts from 1 (0: no line)."""

    id: str
    file: str
    line: int
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    @property
    def stops(self) -> bool:
        """Whether `up` and `recover` must not begin."""
        return self.severity is Severity.ERROR

    @property
    def where(self) -> str:
        """`file:line`, or what stands in its place."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.id}]"

    def as_json(self) -> dict[str, str | int]:
        """The finding as it is printed with `-o json`."""
        return {**asdict(self), "severity": str(self.severity)}


def found(id: str, place: Place, message: str, hint: str) -> Finding:
    """An error at a place."""
    return Finding(id, place.file, place.line, message, hint)


def pointed_out(id: str, place: Place, message: str, hint: str) -> Finding:
    """A warning at a place."""
    return Finding(id, place.file, place.line, message, hint, Severity.WARNING)


def ready(findings: Iterable[Finding]) -> bool:
    """Whether nothing stops `up` or `recover`."""
    return not any(one.stops for one in findings)


def exit_code(findings: Iterable[Finding]) -> int:
    """7 when something is wrong with the key, else 2 when there is an error, else 0 (issue 5)."""
    errors = [one.id for one in findings if one.stops]
    if KEY_FINDINGS.intersection(errors):
        return KeyProblem.exit_code
    return ConfigError.exit_code if errors else 0


def require(findings: Iterable[Finding]) -> None:
    """Raises the error that fits when something stops `up`: KeyProblem, Unsafe or ConfigError, naming every error."""
    errors = [one for one in findings if one.stops]
    if not errors:
        return
    message = "\n".join(str(one) for one in errors)
    ids = {one.id for one in errors}
    kind: type[BlackstartError] = ConfigError
    if KEY_FINDINGS & ids:
        kind = KeyProblem
    elif UNSAFE_FINDINGS & ids:
        kind = Unsafe
    elif ids == {"tool-missing"}:
        kind = MissingTool
    raise kind(message, hint=errors[0].hint)
