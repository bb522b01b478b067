"""SOPS and the Age key: every secret opens with the key, and for everybody who must be able to open it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from blackstart.check.evidence import Encrypted, Evidence, at
from blackstart.check.finding import Finding, found, pointed_out
from blackstart.tools.manifests import Object, Place, mapping, names_of

CIPHER = "ENC[AES256_GCM,"
UPDATE = "sops updatekeys --yes"


def key(seen: Evidence) -> Iterator[Finding]:
    """The private key is there, is one, is not the published one, and belongs to a recipient."""
    own, place = seen.key, seen.setting("sops", "recipients")
    if own.problem:
        name = "key-malformed" if own.malformed else "key-missing"
        yield found(name, place, own.problem.message, own.problem.hint)
    elif own.published and seen.config.provider != "embedded":
        yield found(
            "key-published",
            place,
            "this Age key is the published throwaway of the embedded cluster: everybody has it",
            f"blackstart keys new --cluster {seen.cluster}",
        )
    elif not set(own.recipients) & set(seen.config.sops.recipients):
        yield found(
            "key-not-recipient",
            place,
            f"the Age key found is {' '.join(own.recipients)}, which sops.recipients does not list",
            "blackstart keys show tells where it was found",
        )


def opens(seen: Evidence) -> Iterator[Finding]:
    """Every encrypted file opens with the key and is as it was encrypted."""
    usable = seen.key.problem is None and bool(set(seen.key.recipients) & set(seen.config.sops.recipients))
    for secret in seen.secrets:
        if secret.problem and not secret.opens:
            yield found("secret-malformed", secret.place, secret.problem, "sops filestatus tells what is wrong")
        elif usable and secret.opens is False:
            yield found(
                "secret-does-not-open",
                secret.place,
                "the Age key does not open this file",
                f"{UPDATE} {secret.place.file}, with a key that does",
            )
        elif usable and secret.intact is False:
            yield found(
                "secret-mac-invalid",
                secret.place,
                f"{secret.problem}: Flux refuses it",
                f"git log {secret.place.file}; then sops edit {secret.place.file}",
            )


def recipients(seen: Evidence) -> Iterator[Finding]:
    """Every file is encrypted to exactly the recipients of its rule."""
    for secret in seen.secrets:
        if not secret.recipients or secret.opens is False or seen.rules_problem:
            continue
        if secret.wanted is None:
            yield pointed_out(
                "secret-without-rule",
                secret.place,
                "no rule of .sops.yaml fits this file: a rotation would leave it out",
                "add a creation rule whose path_regex fits it",
            )
        elif set(secret.wanted) != set(secret.recipients):
            yield found("secret-recipients-differ", secret.place, _difference(secret), f"{UPDATE} {secret.place.file}")


def rule_of_the_cluster(seen: Evidence) -> Iterator[Finding]:
    """Whoever the cluster file names stands in the rules that its files follow."""
    if seen.rules_problem:
        yield found("sops-rules-malformed", Place(".sops.yaml", 1), seen.rules_problem.message, seen.rules_problem.hint)
    rules = [set(secret.wanted) for secret in seen.secrets if secret.wanted]
    for recipient in seen.config.sops.recipients:
        if any(recipient not in rule for rule in rules):
            yield found(
                "recipient-not-in-rule",
                Place(".sops.yaml", 1),
                f"{recipient} is in sops.recipients of {seen.cluster}, but not in the rule of its files",
                f"add it to .sops.yaml, then {UPDATE} on every file",
            )


def plaintext(seen: Evidence) -> Iterator[Finding]:
    """No Secret lies in Git unencrypted."""
    for doc in seen.plaintext:
        yield found(
            "secret-in-plaintext",
            doc.place,
            f"Secret {doc.name} is not encrypted: everybody who can read this repository has it",
            f"sops encrypt --in-place {doc.place.file}, then change its values: they are known",
        )
    known = {doc.name for doc in seen.plaintext}
    for layer in seen.layers:
        for obj in seen.built(layer).objects:
            if names_of(obj).name not in known and _made_in_clear(obj):
                yield found(
                    "secret-in-plaintext",
                    at(layer),
                    f"layer {layer.name} makes Secret {names_of(obj).name} out of clear text (secretGenerator?)",
                    "encrypt what it is made of, then change its values: they are known",
                )


def readable_names(seen: Evidence) -> Iterator[Finding]:
    """Kind and metadata stay readable: Flux needs them before it decrypts."""
    for doc in seen.documents:
        if doc.kind.startswith("ENC"):
            yield found(
                "secret-metadata-encrypted",
                doc.place,
                "kind and metadata are encrypted too: Flux cannot tell what this is",
                "encrypted_regex: ^(data|stringData)$ in .sops.yaml, then encrypt the file anew",
            )


def live(seen: Evidence) -> Iterator[Finding]:
    """The Secret in the running cluster has a key under a name that Flux reads, and nothing that breaks it."""
    if seen.live is None:
        return
    place = Place("Secret/sops-age", 0)
    names = [name for name in seen.live.keys if name.endswith(".agekey")]
    if not names:
        yield found(
            "key-secret-without-agekey",
            place,
            f"no data key of Secret sops-age ends in .agekey ({', '.join(seen.live.keys) or 'it is empty'})",
            "blackstart up puts it right",
        )
    for name in names:
        if not seen.live.keys[name]:
            yield found(
                "key-secret-malformed",
                place,
                f"data key {name} of Secret sops-age is not an Age key: Flux then decrypts nothing at all",
                f"kubectl -n flux-system patch secret sops-age --type=json -p "
                f'\'[{{"op":"remove","path":"/data/{name}"}}]\'',
            )


def _made_in_clear(obj: Object) -> bool:
    """Whether a built Secret holds a value that is not cipher text; generators encode whole SOPS files."""
    if names_of(obj).kind != "Secret" or "sops" in obj:
        return False
    return any(CIPHER not in text for text in _texts(obj) if text)


def _texts(secret: Object) -> Iterator[str]:
    yield from (str(value) for value in mapping(secret.get("stringData")).values())
    for value in mapping(secret.get("data")).values():
        try:
            yield base64.b64decode("".join(str(value).split()), validate=True).decode(errors="replace")
        except ValueError:
            yield str(value)


def _difference(secret: Encrypted) -> str:
    wanted, has = set(secret.wanted or ()), set(secret.recipients)
    lacking = [f"lacks {one}" for one in sorted(wanted - has)]
    extra = [f"still opens for {one}" for one in sorted(has - wanted)]
    return "its recipients differ from its rule in .sops.yaml: " + ", ".join(lacking + extra)


RULES = (key, opens, recipients, rule_of_the_cluster, plaintext, readable_names, live)
