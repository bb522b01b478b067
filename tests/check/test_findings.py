"""For each finding a small change of the good repository that yields exactly it, at its file and line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyrage import x25519

from blackstart.check import Finding, exit_code, ready
from blackstart.check.finding import Severity
from blackstart.tools.age import THROWAWAY
from tests.check.conftest import findings
from tests.check.repository import CLUSTER, CRD, DEPENDS, Repository, recipient_of, sops

Change = Callable[[Repository], None]

WIRING = f"gitops/clusters/{CLUSTER}"
APPS, CERTS, CONTROLLERS = (f"{WIRING}/{name}.yaml" for name in ("apps", "certs", "controllers"))
CONFIG = f"clusters/{CLUSTER}.yaml"
SECRET = "gitops/apps/login.sops.yaml"
KEY = f"keys/{CLUSTER}.agekey"
PLAIN = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\nstringData:\n  user: x\n"
RELEASE = "gitops/controllers/maker.yaml"
SYNC = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m0s, ref: {branch: main}, url: "https://git.example.test/fleet"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 10m0s
  path: ./gitops/clusters/demo
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def edit(name: str, old: str, new: str) -> Change:
    return lambda repository: repository.edit(name, old, new)


def write(name: str, text: str) -> Change:
    return lambda repository: repository.write(name, text)


def remove(name: str) -> Change:
    return lambda repository: repository.remove(name)


def other_key(repository: Repository) -> None:
    repository.write(KEY, f"{x25519.Identity.generate()}\n")


def encrypted_to_another(repository: Repository) -> None:
    """Encrypted to somebody else, though the rule names us: as after a merge that took the wrong side."""
    stranger = recipient_of(str(x25519.Identity.generate()))
    repository.write(".stranger.yaml", (repository.root / ".sops.yaml").read_text())
    repository.edit(".stranger.yaml", recipient_of(repository.key), stranger)
    repository.write(SECRET, PLAIN)
    sops(repository.root, {}, "--config", ".stranger.yaml", "encrypt", "--in-place", SECRET)
    repository.remove(".stranger.yaml")


def value_removed(repository: Repository) -> None:
    lines = (repository.root / SECRET).read_text().splitlines(keepends=True)
    repository.write(SECRET, "".join(line for line in lines if not line.startswith("    user:")))


def second_recipient_in_rule(repository: Repository) -> None:
    own = recipient_of(repository.key)
    repository.edit(".sops.yaml", own, f"{own},{recipient_of(str(x25519.Identity.generate()))}")


def second_recipient_in_cluster_file(repository: Repository) -> None:
    own = recipient_of(repository.key)
    repository.edit(CONFIG, f"- {own}", f"- {own}\n    - {recipient_of(str(x25519.Identity.generate()))}")


def all_encrypted(repository: Repository) -> None:
    repository.edit(".sops.yaml", "    encrypted_regex: ^(data|stringData)$\n", "")
    repository.write(
        "gitops/more/a.sops.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  a: YQ==\n"
    )
    repository.encrypt("gitops/more/a.sops.yaml")


def hide(line: str) -> Change:
    return write(".sourceignore", f"/.gitignore\n{line}\n")


REPOSITORY_CHANGES: dict[str, tuple[Change, str]] = {
    "git-path-missing": (edit(CONFIG, "path: gitops/clusters/demo", "path: gitops/clusters/none"), f"{CONFIG}:4"),
    "wiring-does-not-build": (write(f"{WIRING}/kustomization.yaml", "resources: [absent.yaml]\n"), f"{CONFIG}:4"),
    "no-layers": (edit(CONFIG, "path: gitops/clusters/demo", "path: gitops/certs"), f"{CONFIG}:4"),
    "layer-path-missing": (edit(APPS, "path: ./gitops/apps", "path: ./gitops/absent"), f"{APPS}:2"),
    "layer-does-not-build": (write("gitops/apps/kustomization.yaml", "resources: [absent.yaml]\n"), f"{APPS}:2"),
    "depends-on-unknown": (edit(CERTS, "- name: controllers", "- name: controllers\n    - name: dns"), f"{CERTS}:2"),
    "depends-on-cycle": (
        lambda repository: repository.write(
            CONTROLLERS, (repository.root / CONTROLLERS).read_text() + DEPENDS.format("apps")
        ),
        f"{APPS}:2",
    ),
    "depends-on-missing": (edit(CERTS, DEPENDS.format("controllers"), ""), "gitops/certs/widget.yaml:2"),
    "layer-without-decryption": (edit(APPS, "provider: sops", "provider: none"), f"{APPS}:2"),
    "key-secret-name": (edit(APPS, "name: sops-age", "name: other"), f"{APPS}:2"),
    "layer-suspended": (edit(APPS, "prune: true", "prune: true\n  suspend: true"), f"{APPS}:2"),
    "variable-missing": (edit("gitops/apps/app.yaml", "${domain}", "${zone}"), "gitops/apps/app.yaml:7"),
    "substitute-source-missing": (
        edit(APPS, "name: cluster-settings", "name: cluster-settings\n      - kind: Secret\n        name: absent"),
        f"{APPS}:2",
    ),
    "flux-owned-twice": (
        write("gitops/clusters/demo/flux-system/gotk-sync.yaml", SYNC),
        "gitops/clusters/demo/flux-system/gotk-sync.yaml:2",
    ),
    "crd-beside-resource": (
        write("gitops/controllers/widget.yaml", "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: own\n"),
        "gitops/controllers/widget.yaml:2",
    ),
    "chart-missing": (edit(RELEASE, "./gitops/charts/maker", "./gitops/charts/none"), f"{RELEASE}:2"),
    "chart-source-missing": (edit(RELEASE, "kind: GitRepository", "kind: HelmRepository"), f"{RELEASE}:2"),
    "chart-does-not-render": (
        write("gitops/charts/maker/templates/bad.yaml", '{{ fail "this chart wants more" }}\n'),
        f"{RELEASE}:2",
    ),
    "hidden-by-sourceignore": (hide("/gitops/apps/app.yaml"), "gitops/apps/app.yaml:1"),
    "secret-in-plaintext": (
        write("gitops/apps/open.yaml", f"# oh\n{PLAIN}---\n"),
        "gitops/apps/open.yaml:3",
    ),
    "secret-does-not-open": (encrypted_to_another, f"{SECRET}:1"),
    "secret-mac-invalid": (value_removed, f"{SECRET}:1"),
    "secret-malformed": (edit(SECRET, "- recipient: age1", "- recipients: age1"), f"{SECRET}:1"),
    "secret-recipients-differ": (second_recipient_in_rule, f"{SECRET}:1"),
    "recipient-not-in-rule": (second_recipient_in_cluster_file, ".sops.yaml:1"),
    "secret-metadata-encrypted": (all_encrypted, "gitops/more/a.sops.yaml:2"),
    "sops-rules-malformed": (write(".sops.yaml", "creation_rules: [\n"), ".sops.yaml:1"),
    "key-missing": (remove(KEY), f"{CONFIG}:7"),
    "key-malformed": (write(KEY, "AGE-SECRET-KEY-1NOTONE\n"), f"{CONFIG}:7"),
    "key-not-recipient": (other_key, f"{CONFIG}:7"),
}

WARNINGS: dict[str, tuple[Change, str]] = {
    "health-checks-ignored": (
        edit(APPS, "wait: true", "wait: true\n  healthChecks: [{apiVersion: v1, kind: ConfigMap, name: app}]"),
        f"{APPS}:2",
    ),
    "layer-without-timeout": (edit(APPS, "  timeout: 5m\n", ""), f"{APPS}:2"),
    "layer-without-retry-interval": (edit(APPS, "  retryInterval: 30s\n", ""), f"{APPS}:2"),
    "layer-without-prune": (edit(APPS, "  prune: true\n", ""), f"{APPS}:2"),
    "layer-without-wait": (edit(APPS, "  wait: true\n", ""), f"{APPS}:2"),
    "crd-beside-resource": (
        write(
            "gitops/certs/crd.yaml",
            CRD.replace("Widget", "Gadget").replace("widget", "gadget")
            + "---\napiVersion: example.com/v1\nkind: Gadget\nmetadata:\n  name: g\n",
        ),
        "gitops/certs/crd.yaml:16",
    ),
    "secret-without-rule": (edit(".sops.yaml", "gitops/.*", "elsewhere/.*"), f"{SECRET}:1"),
}


def test_the_good_repository_has_no_finding(repository: Repository) -> None:
    assert findings(repository, fast=False) == []


@pytest.mark.parametrize("name", REPOSITORY_CHANGES)
def test_an_error_is_found(repository: Repository, name: str) -> None:
    change, where = REPOSITORY_CHANGES[name]
    (only,) = changed(repository, change)
    assert (only.id, only.where, only.severity) == (name, where, Severity.ERROR)
    assert only.message and only.hint and not ready([only])
    assert exit_code([only]) == (7 if name in KEY_SIDE else 2)


NETWORK_CHANGES: dict[str, tuple[Change, str]] = {
    "cni-missing": (edit(RELEASE, "name: cilium", "name: other"), f"{CONFIG}:4"),
    "cni-not-seedable": (
        edit(RELEASE, "  values:\n", "  valuesFrom: [{kind: Secret, name: hidden, optional: true}]\n  values:\n"),
        f"{RELEASE}:2",
    ),
    "cni-seed-differs": (
        edit(RELEASE, "      chart: ./g", "      valuesFiles: [gitops/charts/maker/big.yaml]\n      chart: ./g"),
        f"{RELEASE}:2",
    ),
}


@pytest.fixture
def bare(repository: Repository) -> Repository:
    """The good repository for a cluster without a CNI; its release, of a chart with values, is the CNI."""
    repository.edit(CONFIG, "{provider: embedded}", "{provider: kind, disable_default_cni: true}")
    repository.edit(CONFIG, "providers: builtin", "providers: registry")
    repository.edit(RELEASE, "  name: maker\n", "  name: cilium\n")
    for name, value in (("colour", ".Values.colour"), ("chance", "randAlphaNum 8")):
        data = f"data:\n  {name}: {{{{ {value} | quote }}}}\n"
        repository.write(
            f"gitops/charts/maker/templates/{name}.yaml",
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{data}",
        )
    repository.write("gitops/charts/maker/big.yaml", "colour: red\n")
    return repository


def test_a_cni_that_can_be_seeded_has_no_error(bare: Repository) -> None:
    assert ready(changed(bare, lambda _: None))


@pytest.mark.parametrize("name", NETWORK_CHANGES)
def test_a_cni_that_cannot_be_seeded_as_flux_has_it(bare: Repository, name: str) -> None:
    change, where = NETWORK_CHANGES[name]
    (only,) = (one for one in changed(bare, change) if one.stops)
    assert (only.id, only.where, only.severity) == (name, where, Severity.ERROR)
    assert only.message and only.hint and exit_code([only]) == 2


KEY_SIDE = {"key-missing", "key-malformed", "key-not-recipient", "secret-does-not-open", "secret-mac-invalid"}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_is_pointed_out(repository: Repository, name: str) -> None:
    change, where = WARNINGS[name]
    (only,) = changed(repository, change)
    assert (only.id, only.where, only.severity) == (name, where, Severity.WARNING)
    assert only.hint and ready([only]) and exit_code([only]) == 0


def test_uncommitted_changes_are_pointed_out(repository: Repository) -> None:
    repository.write("gitops/apps/new.yaml", "kind: [broken\n")
    (only,) = findings(repository)
    assert (only.id, only.severity) == ("git-uncommitted", Severity.WARNING)


def test_the_published_key_is_for_embedded_alone(repository: Repository) -> None:
    repository.edit(CONFIG, "{provider: embedded}", "{provider: kind}")
    repository.edit(CONFIG, "providers: builtin", "providers: registry")
    repository.edit(CONFIG, recipient_of(repository.key), THROWAWAY)
    published = (Repository.HERE / "keys" / "local.agekey").read_text()
    repository.write(KEY, published)
    assert "key-published" in {one.id for one in changed(repository, lambda _: None)}


def test_a_secret_out_of_a_generator(repository: Repository) -> None:
    generator = "secretGenerator:\n  - name: made\n    files: [{}]\n"
    resources = "resources: [namespace.yaml, app.yaml, login.sops.yaml]\n"
    repository.write("gitops/apps/kustomization.yaml", resources + generator.format("clear.txt"))
    repository.write("gitops/apps/clear.txt", "not encrypted")
    (only,) = changed(repository, lambda _: None)
    assert (only.id, only.where) == ("secret-in-plaintext", f"{APPS}:2") and "not encrypted" not in only.message
    repository.edit("gitops/apps/kustomization.yaml", "clear.txt", "login.sops.yaml")
    assert changed(repository, lambda _: None) == []


def changed(repository: Repository, change: Change) -> list[Finding]:
    change(repository)
    repository.commit()
    return findings(repository)
