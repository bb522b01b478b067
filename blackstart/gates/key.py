"""When the key in the cluster is the right one: compared in memory, by public recipients."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

from pyrage import IdentityError, x25519

from blackstart.gates import Broken, Object, Outcome, Ready, Waiting

DATA_KEY = "age.agekey"


def key_secret(secret: Object | None, expected: Collection[str]) -> Outcome:
    """Whether the Secret holds the expected key, and no other `*.agekey` that Flux would choke on."""
    if secret is None:
        return Waiting("no Secret sops-age")
    held: set[str] = set()
    for name, value in (secret.get("data") or {}).items():
        if not name.endswith(".agekey"):
            continue
        found = recipients_in(value)
        if found is None:
            return Broken(f"data key {name} is not an Age key: Flux then decrypts nothing")
        held |= found
    missing = set(expected) - held
    if missing:
        return Broken(f"does not hold the key of {', '.join(sorted(missing))}")
    return Ready(f"{len(held)} key{'s' if len(held) > 1 else ''}")


def recipients_in(value: str) -> set[str] | None:
    """The public recipients of the identities in a Secret's value (base64), or None when it is malformed."""
    try:
        text = base64.b64decode(value, validate=True).decode()
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        return {str(x25519.Identity.from_str(key).to_public()) for key in keys} or None
    except (binascii.Error, UnicodeDecodeError, IdentityError):
        return None
