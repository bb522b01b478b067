"""The only place that starts processes: allowlisted environment, redacted output, one Ctrl-C."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from blackstart.errors import CommandFailed, Interrupted, MissingTool

ALLOWED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TERM|TMPDIR|XDG_\w+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
    r"|(?i:https?_proxy|no_proxy|all_proxy)|SSH_AUTH_SOCK|VIRTUAL_ENV|PYTHONDONTWRITEBYTECODE|CI|NO_COLOR|GO\w+|JSII_\w+"
    r"|BLACKSTART_(?!PASSPHRASE)\w+|TF_TOKEN_\w+|TF_HTTP_(USERNAME|PASSWORD|CLIENT_PRIVATE_KEY_PEM)|AWS_\w+"
)


def inside_base64(text: str) -> tuple[str, ...]:
    """How `text` looks in base64 at each of the three places where it can begin in what was encoded."""
    coded = [base64.b64encode(b"\0" * shift + text.encode()).decode() for shift in range(3)]
    return tuple(
        one[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6] for shift, one in enumerate(coded)
    )  # without the characters that depend on neighbours


ENCODED_KEY = inside_base64("AGE-SECRET-KEY-")
ALWAYS_HIDDEN = re.compile(
    rf"AGE-SECRET-KEY-(PQ-)?1[0-9A-Za-z]+|(?:{'|'.join(ENCODED_KEY)})[0-9A-Za-z+/=]*", re.IGNORECASE
)
TAIL_LINES = 20

_secrets: set[str] = set()
_running: set[subprocess.Popen[str]] = set()


def hide(secret: str) -> None:
    """From now on `redact` replaces `secret` (a token, a password, a key) wherever it stands."""
    if len(secret) >= 4:
        _secrets.add(secret)


def redact(text: str) -> str:
    """`text` without Age private keys and without everything given to `hide`."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    return ALWAYS_HIDDEN.sub("***", text)


def allowed_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment a child gets: what is on the allowlist, and `extra` (design, section 7)."""
    inherited = {name: value for name, value in os.environ.items() if ALLOWED.fullmatch(name)}
    return {**inherited, **(extra or {})}


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: `env` is added to the allowlist, `timeout` is in seconds, `log` gets every line.

    Its input is the text `stdin` or the file `source`. With `private`, nobody else may read the files that it makes.
    """

    argv: Sequence[str]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: str = field(default="", repr=False)
    source: Path | None = None
    timeout: float | None = None
    log: Path | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left: its exit code, its output as it was (not redacted), its time in seconds."""

    argv: tuple[str, ...]
    code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    seconds: float

    @property
    def tail(self) -> str:
        """The last lines of what was printed, redacted."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return redact("\n".join(lines[-TAIL_LINES:]))


def run(
    command: Command,
    *,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    on_start: Callable[[int], None] = lambda _: None,
) -> Completed:
    """Run a program to its end; `on_start` gets its pid, `on_line` sees each line of its stdout, redacted.

    Raises MissingTool when it is not there, CommandFailed when `check` and the exit code is not 0 (124: timed
    out), Interrupted after a Ctrl-C, which is passed on to the program once.
    """
    started = time.monotonic()
    with _interrupts_held() as let_through:
        process = _start(command)
        _running.add(process)
        on_start(process.pid)
        pump = _Pump(process, command.log, on_line)
        try:
            let_through()
            pump.feed(command.stdin)
            code = _wait(process, command.timeout)
        except KeyboardInterrupt:
            _pass_on_interrupt(process)
            pump.join()
            raise Interrupted(
                f"interrupted while {Path(command.argv[0]).name} was running",
                hint="go on with: blackstart up",
            ) from None
        finally:
            _running.discard(process)
    pump.join()
    done = Completed(tuple(command.argv), code, pump.stdout, pump.stderr, time.monotonic() - started)
    if check and code != 0:
        raise CommandFailed(done.argv, code, done.tail, log=command.log)
    return done


def interrupt_running() -> None:
    """Pass a Ctrl-C on to what other threads have started: they do not hear it. Each program gets it once."""
    while _running:
        process = _running.pop()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)


def exchange(argv: Sequence[str], env: Mapping[str, str], stdin: bytes, *, timeout: float = 300) -> bytes:
    """Run a program that answers bytes with bytes, such as a CGI program; `timeout` in seconds.

    Raises CommandFailed when its exit code is not 0 (124: timed out).
    """
    try:
        done = subprocess.run(
            list(argv), env=allowed_environment(env), input=stdin, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(argv, 124, "") from None
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, redact(done.stderr.decode(errors="replace")))
    return done.stdout


def become(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Replace this process by another program, with `env` as its whole environment."""
    os.execvpe(argv[0], list(argv), dict(env))


@contextmanager
def _interrupts_held() -> Iterator[Callable[[], None]]:
    """Keep a Ctrl-C back until the yielded function is called: a program just started must not be left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number)) or signal.SIG_DFL

    def let_through() -> None:
        signal.signal(signal.SIGINT, before)
        while came:
            signal.raise_signal(came.pop())

    try:
        yield let_through
    finally:
        signal.signal(signal.SIGINT, before)


def _start(command: Command) -> subprocess.Popen[str]:
    with ExitStack() as stack:
        source = stack.enter_context(command.source.open("rb")) if command.source else subprocess.DEVNULL
        return _begin(command, subprocess.PIPE if command.stdin else source)


def _begin(command: Command, source: int | IO[bytes]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(command.argv),
            cwd=command.cwd,
            env=allowed_environment(command.env),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            umask=0o077 if command.private else -1,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise MissingTool(
            f"cannot run {command.argv[0]}: {error.strerror}", hint="install it with: make setup"
        ) from None


def _wait(process: subprocess.Popen[str], timeout: float | None) -> int:
    """Wait without polling: a thread waits for the child, we for the thread."""
    waiter = threading.Thread(target=process.wait, daemon=True)
    waiter.start()
    waiter.join(timeout)
    if waiter.is_alive():
        _end_group(process)
        waiter.join()
        return 124
    return process.returncode


def _end_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _pass_on_interrupt(process: subprocess.Popen[str]) -> None:
    """One SIGINT to the program alone, then wait: terraform writes its state before it ends."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:
            continue


class _Pump:
    """Reads both outputs of a child in threads, keeps them, logs them redacted."""

    def __init__(self, process: subprocess.Popen[str], log: Path | None, on_line: Callable[[str], None] | None) -> None:
        self._process = process
        self._on_line = on_line
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._log = _open_log(log) if log else None
        self._threads = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> str:
        return "".join(self._lines["stdout"])

    @property
    def stderr(self) -> str:
        return "".join(self._lines["stderr"])

    def feed(self, text: str) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        try:
            pipe.write(text)
            pipe.close()
        except BrokenPipeError:
            return

    def join(self) -> None:
        """A daemon may keep the pipes open for ever: what it printed by now is enough."""
        for thread in self._threads:
            thread.join(timeout=5)
        if self._log and not any(thread.is_alive() for thread in self._threads):
            self._log.close()

    def _read(self, name: str, pipe: IO[str] | None) -> None:
        for line in pipe or ():
            self._lines[name].append(line)
            clean = redact(line)
            if self._log:
                self._log.write(clean)
                self._log.flush()
            if name == "stdout" and self._on_line:
                self._on_line(clean.rstrip("\n"))


def _open_log(path: Path) -> IO[str]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w")
