"""The values of a SOPS file, as sops itself sees them: encrypted ones opened in memory, clear ones as MAC bytes.

Rules from getsops/sops: `aes/cipher.go` (format, additional data), `sops.go` (ToBytes, order of the MAC), and from
yaml/go-yaml v3 `resolve.go` (what a plain scalar is).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from blackstart.errors import KeyProblem

ENCRYPTED = re.compile(r"^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]$")
NULLS = {"", "~", "null", "Null", "NULL"}
BOOLS = {"true": b"True", "True": b"True", "TRUE": b"True", "false": b"False", "False": b"False", "FALSE": b"False"}
FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
SPECIAL = {".inf": b"+Inf", "+.inf": b"+Inf", "-.inf": b"-Inf", ".nan": b"NaN"}
TIME = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?(Z|[-+]\d{2}:\d{2})?)?$"
)
DEEPEST = 100
MOST_LEAVES = 100_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of the file: the keys that lead to it (list positions do not count), its text, whether it is
    unquoted, which document (from 0) it is in."""

    path: tuple[str, ...]
    text: str = field(repr=False)
    plain: bool
    document: int


def leaves(documents: list[Any]) -> Iterator[Leaf]:
    """Every scalar in the order in which sops walks; `sops` at the top is metadata, not content."""
    left = MOST_LEAVES
    for number, node in enumerate(documents):
        for leaf in _walk(node, (), number, 0):
            left -= 1
            if left < 0:
                raise KeyProblem("the file has too many values", hint="split it")
            yield leaf


def _walk(node: Any, path: tuple[str, ...], number: int, depth: int) -> Iterator[Leaf]:
    if depth > DEEPEST:
        raise KeyProblem("the file is nested too deeply", hint="look at it")
    if isinstance(node, ScalarNode):
        yield Leaf(path, str(node.value), node.style is None, number)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _walk(item, path, number, depth + 1)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            if path or key.value != "sops":
                yield from _walk(value, (*path, str(key.value)), number, depth + 1)


def open_value(text: str, data_key: bytes, additional: str) -> bytes:
    """The clear bytes of one `ENC[…]`. Raises KeyProblem: not encrypted, damaged, or moved from elsewhere."""
    if not text:
        return b""
    match = ENCRYPTED.match(text)
    if match is None:
        raise KeyProblem("is not encrypted", hint="encrypt it: sops encrypt --in-place FILE")
    try:
        data, nonce, tag = (base64.b64decode(match[part], validate=True) for part in (1, 2, 3))
        return AESGCM(data_key).decrypt(nonce, data + tag, additional.encode())
    except (InvalidTag, binascii.Error, ValueError):
        raise KeyProblem("was changed after it was encrypted", hint="git log -p FILE shows when") from None


def is_null(leaf: Leaf) -> bool:
    """Whether sops skips it: there is nothing to encrypt."""
    return leaf.plain and leaf.text in NULLS


def clear_bytes(leaf: Leaf) -> bytes:
    """What an unencrypted value adds to the MAC: typed as go-yaml resolves it, written as Go prints it."""
    if not leaf.plain:
        return leaf.text.encode()
    if leaf.text in BOOLS:
        return BOOLS[leaf.text]
    if leaf.text.lower() in SPECIAL:
        return SPECIAL[leaf.text.lower()]
    time = _time(leaf.text)
    if time is not None:
        return time
    number = _number(leaf.text.replace("_", "")) if leaf.text[:1] in "+-.0123456789" else None
    return number if number is not None else leaf.text.encode()


def _time(text: str) -> bytes | None:
    match = TIME.match(text)
    if match is None or (match[4] and bool(match[8]) == (" " in text)):
        return None
    year, month, day, hour, minute, second = (int(match[part] or 0) for part in range(1, 7))
    fraction = (match[7] or "").rstrip("0")
    zone = "Z" if match[8] in (None, "Z", "+00:00", "-00:00") else match[8]
    shown = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return f"{shown}{'.' + fraction if fraction else ''}{zone}".encode()


def _number(text: str) -> bytes | None:
    whole = _whole(text)
    if whole is not None:
        return str(whole).encode()
    if not FLOAT.match(text):
        return None
    shown = format(Decimal(repr(float(text))), "f")
    return (shown.rstrip("0").rstrip(".") if "." in shown else shown).encode()


def _whole(text: str) -> int | None:
    octal = re.match(r"^([-+]?)0([0-7]+)$", text)
    try:
        found = int(octal[1] + octal[2], 8) if octal else int(text, 0)
    except ValueError:
        return None
    return found if -(2**63) <= found < 2**64 else None
