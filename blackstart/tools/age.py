"""The Age key: where it is looked for, and the little cryptography around it (pyrage); it lives in memory alone."""

from __future__ import annotations

import base64
import getpass
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
from pyrage import passphrase, x25519

from blackstart.config import ClusterConfig, Workspace
from blackstart.errors import BlackstartError, KeyProblem
from blackstart.tools.process import Command, hide, run

# The published key of cluster `local` (keys/local.agekey): everybody has it, so only `embedded` accepts it.
THROWAWAY = "age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3"
PASSPHRASE = "BLACKSTART_PASSPHRASE"
COMMAND_TIMEOUT = 120.0
MEASUREMENTS = 20
"""pyrage looks for two milliseconds how fast the machine is before it opens a sealed file, and may refuse (rage, issue
38). On a busy machine such a look misleads, so it looks again."""
SEALED = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")


class NoKey(KeyProblem):
    """None of the places has a key."""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A private key: `identities` is secret (one a line), `recipients` are its public halves, `where` says
    where it was found, `path` is its file in clear (None: it came from somewhere else)."""

    identities: str = field(repr=False)
    recipients: tuple[str, ...]
    where: str
    path: Path | None = None


def key_file(ws: Workspace) -> Path:
    """`keys/<cluster>.agekey`."""
    return ws.root / "keys" / f"{ws.cluster}.agekey"


def sealed_file(ws: Workspace) -> Path:
    """`keys/<cluster>.agekey.age`, protected by a passphrase."""
    return ws.root / "keys" / f"{ws.cluster}.agekey.age"


def find_key(ws: Workspace, config: ClusterConfig) -> FoundKey:
    """The cluster's key, from the first place that has one (design, section 3).

    Raises KeyProblem (exit 7): none found, malformed, not a key of `sops.recipients`, the published throwaway
    for a provider other than `embedded`, a wrong passphrase.
    """
    found = read(ws)
    where = found.where
    own = set(config.sops.recipients)
    if THROWAWAY in found.recipients and config.provider != "embedded":
        raise KeyProblem(
            f"{where} holds the published throwaway key, which everybody has: {config.provider} refuses it",
            hint=f"blackstart --cluster {ws.cluster} keys new",
        )
    if own.isdisjoint(found.recipients):
        raise KeyProblem(
            f"the key in {where} is that of {', '.join(found.recipients)}, which is not among sops.recipients "
            f"of clusters/{ws.cluster}.yaml ({', '.join(sorted(own))})",
            hint=f"look where it comes from: blackstart --cluster {ws.cluster} keys show",
        )
    return found


def read(ws: Workspace) -> FoundKey:
    """The key in the first place that has one, whatever it opens. Raises NoKey, or KeyProblem: it is malformed."""
    return parse(*_look(ws))


def parse(text: str, where: str, path: Path | None = None) -> FoundKey:
    """The identities of a key file: one a line or separated by blanks, `#` begins a comment.

    From here on no output shows them. Raises KeyProblem, which never repeats what was read.
    """
    words = [word for line in text.splitlines() if not line.lstrip().startswith("#") for word in line.split()]
    for word in words:
        hide(word)
    if not words:
        raise KeyProblem(f"{where} holds no Age key", hint="it has a line that begins with AGE-SECRET-KEY-1")
    recipients = tuple(dict.fromkeys(_recipient(word, where) for word in words))
    identities = "\n".join(dict.fromkeys(words)) + "\n"
    hide(base64.b64encode(identities.encode()).decode())
    return FoundKey(identities, recipients, where, path)


def generate() -> FoundKey:
    """A new X25519 key."""
    return parse(str(x25519.Identity.generate()), "memory")


def is_recipient(text: str) -> bool:
    """Whether this is a public X25519 recipient."""
    try:
        x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        return False
    return True


def decrypt(blob: str, identities: str) -> bytes:
    """What an age file holds. Raises KeyProblem when none of the identities opens it."""
    keys = [x25519.Identity.from_str(one) for one in identities.split()]
    try:
        return bytes(pyrage.decrypt(blob.encode(), keys))
    except pyrage.DecryptError:
        raise KeyProblem("the key does not open it", hint="blackstart keys verify") from None


def seal(key: FoundKey, phrase: str) -> str:
    """The key as an age file that a passphrase opens (scrypt, armored): plain `age -d` reads it."""
    lines = [f"# public key: {one}" for one in key.recipients]
    text = "\n".join([*lines, key.identities])
    return bytes(passphrase.encrypt(text.encode(), phrase, armored=True)).decode()


def unseal(blob: bytes, phrase: str, where: str) -> str:
    """The text of a passphrase-protected key file. Raises KeyProblem: wrong passphrase, or not such a file, or a work
    factor that this machine is too slow for."""
    for _ in range(MEASUREMENTS):
        try:
            return bytes(passphrase.decrypt(blob, phrase)).decode()
        except (pyrage.DecryptError, UnicodeDecodeError) as error:
            if "Excessive work" not in str(error):
                raise KeyProblem(
                    f"the passphrase does not open {where}", hint=f"again, with the right one (or {PASSPHRASE})"
                ) from None
    raise KeyProblem(
        f"{where} was sealed on a machine more than 16 times as fast as this one",
        hint=f"by the program age, which does not mind: age -d {where} > KEYFILE; blackstart keys restore KEYFILE",
    )


def ask_passphrase(prompt: str, *, twice: bool = False) -> str:
    """From BLACKSTART_PASSPHRASE, or typed without echo. Raises KeyProblem without a terminal, or when blank."""
    phrase = os.environ.get(PASSPHRASE, "")
    if not phrase:
        if not sys.stdin.isatty():
            raise KeyProblem(f"{prompt}: no terminal to ask on", hint=f"set {PASSPHRASE}")
        phrase = getpass.getpass(f"{prompt}: ")
        if twice and getpass.getpass("Again: ") != phrase:
            raise KeyProblem("the two passphrases differ", hint="again")
    if not phrase:
        raise KeyProblem("an empty passphrase protects nothing", hint="again, with a passphrase")
    hide(phrase)
    return phrase


def _look(ws: Workspace) -> tuple[str, str, Path | None]:
    """Text, where it was, and its file; the places are those of sops, then the repository's own."""
    for place in _places(ws):
        found = place()
        if found is not None:
            return found
    raise NoKey(
        f"no Age key for cluster {ws.cluster}: looked at SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, SOPS_AGE_KEY_CMD, "
        f"keys/{ws.cluster}.agekey, keys/{ws.cluster}.agekey.age",
        hint=f"blackstart --cluster {ws.cluster} keys new, or: keys restore FILE",
    )


Taken = tuple[str, str, Path | None] | None


def _places(ws: Workspace) -> Iterator[Callable[[], Taken]]:
    yield lambda: _stated("SOPS_AGE_KEY", lambda text: (text, None))
    yield lambda: _stated("SOPS_AGE_KEY_FILE", lambda name: read_key(Path(name).expanduser(), "SOPS_AGE_KEY_FILE"))
    yield lambda: _stated("SOPS_AGE_KEY_CMD", lambda line: (_ask(line), None))
    yield lambda: _kept(key_file(ws))
    yield lambda: _kept(sealed_file(ws))


def _stated(name: str, take: Callable[[str], tuple[str, Path | None]]) -> Taken:
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    text, path = take(value)
    return text, name, path


def _kept(path: Path) -> Taken:
    where = f"keys/{path.name}"
    if not path.exists():
        return None
    text, clear = read_key(path, where)
    return text, where, clear


def read_key(path: Path, where: str) -> tuple[str, Path | None]:
    """The text of a key file, and the file when it lies there in clear; asks for the passphrase where needed."""
    try:
        content = path.read_bytes()
        if content.startswith(SEALED):
            return unseal(content, ask_passphrase(f"Passphrase of {where}"), where), None
        return content.decode(), path
    except OSError as error:
        raise KeyProblem(f"cannot read {where}: {error.strerror}", hint=f"look at {path}") from None
    except UnicodeDecodeError:
        raise KeyProblem(f"{where} is not an Age key: not text", hint=f"look at {path}") from None


def _ask(line: str) -> str:
    """Run the operator's own key command, in its own environment: a password manager keeps its session there."""
    try:
        argv = shlex.split(line)
        return run(Command(argv, env=dict(os.environ), timeout=COMMAND_TIMEOUT)).stdout
    except (ValueError, IndexError, BlackstartError) as error:
        said = getattr(error, "tail", "") or str(error)
        raise KeyProblem(f"SOPS_AGE_KEY_CMD gave no key: {said}", hint="run the command by hand") from None


def _recipient(identity: str, where: str) -> str:
    if identity.startswith("AGE-SECRET-KEY-PQ-"):
        raise KeyProblem(f"{where} holds a post-quantum key", hint="an X25519 key is needed: blackstart keys new")
    try:
        return str(x25519.Identity.from_str(identity).to_public())
    except pyrage.IdentityError:
        raise KeyProblem(
            f"{where} is not an Age key: malformed", hint="it has a line that begins with AGE-SECRET-KEY-1"
        ) from None
