"""Cluster files of a fleet: shared defaults, where each value comes from, no credentials of backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackstart.config import load
from blackstart.config.provenance import provenance
from blackstart.errors import ConfigError

RECIPIENT = "age1rpe8lmuktf8r9ckr9ljcunfndncqrltqmv5shecnl0pqqayx2elslh0sr3"
DEFAULTS = f"""cluster: {{provider: embedded, nodes: 1}}
sops: {{recipients: [{RECIPIENT}]}}
settings:
  domain: example.test
  replicas: "1"
"""
OWN = """git: {path: gitops/flux/clusters/local}
cluster: {nodes: 3}
settings:
  domain: eu.example.test
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters" / "_defaults.yaml").write_text(DEFAULTS)
    (tmp_path / "clusters" / "eu.yaml").write_text(OWN)
    return tmp_path


def test_a_cluster_overrides_the_defaults_value_by_value(root: Path) -> None:
    config = load(root, "eu")
    assert config.cluster.nodes == 3  # type: ignore[union-attr]
    assert config.settings == {"domain": "eu.example.test", "replicas": "1"}


def test_each_value_says_where_it_comes_from(root: Path) -> None:
    found = {value.path: (value.value, value.source) for value in provenance(root, "eu")}
    assert found["cluster.provider"] == ("embedded", "clusters/_defaults.yaml:1")
    assert found["cluster.nodes"] == (3, "clusters/eu.yaml:2")
    assert found["settings.domain"] == ("eu.example.test", "clusters/eu.yaml:4")
    assert found["settings.replicas"] == ("1", "clusters/_defaults.yaml:5")
    assert found["git.url"] == ("worktree", "built in")


def test_a_problem_is_shown_in_the_file_where_it_stands(root: Path) -> None:
    (root / "clusters" / "_defaults.yaml").write_text(DEFAULTS + "nonsense: 1\n")
    with pytest.raises(ConfigError) as wrong:
        load(root, "eu")
    assert wrong.value.message.startswith("clusters/_defaults.yaml:6: nonsense: unknown key")


@pytest.mark.parametrize(
    ("section", "variable"),
    [
        ("s3: {bucket: b, secret_key: hush}", "AWS_SECRET_ACCESS_KEY"),
        ("s3: {bucket: b, assume_role_with_web_identity: {web_identity_token: hush}}", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("http: {address: 'http://x/{stack}', password: hush}", "TF_HTTP_PASSWORD"),
        ("http: {address: 'http://me:hush@x/{stack}'}", "TF_HTTP_PASSWORD"),
    ],
)
def test_credentials_of_a_backend_do_not_belong_in_a_file(root: Path, section: str, variable: str) -> None:
    backend = section.partition(":")[0]
    (root / "clusters" / "eu.yaml").write_text(f"{OWN}state:\n  backend: {backend}\n  {section}\n")
    with pytest.raises(ConfigError) as refused:
        load(root, "eu")
    assert variable in refused.value.message and "hush" not in refused.value.message


@pytest.mark.parametrize(
    "section",
    ["s3: {bucket: b, key: all.tfstate}", "http: {address: 'http://x/{stack}', lock_address: 'http://x/lock'}"],
)
def test_each_stack_has_a_state_and_a_lock_of_its_own(root: Path, section: str) -> None:
    backend = section.partition(":")[0]
    (root / "clusters" / "eu.yaml").write_text(f"{OWN}state:\n  backend: {backend}\n  {section}\n")
    with pytest.raises(ConfigError, match=r"clusters/eu\.yaml:5: state: .*put \{stack\} into it"):
        load(root, "eu")


def test_settings_of_a_backend_keep_their_types(root: Path) -> None:
    section = "{bucket: b, max_retries: 2, use_lockfile: true, endpoints: {s3: 'http://x'}, allowed_account_ids: ['1']}"
    (root / "clusters" / "eu.yaml").write_text(f"{OWN}state:\n  backend: s3\n  s3: {section}\n")
    settings = load(root, "eu").state.s3
    assert settings["max_retries"] == 2 and settings["use_lockfile"] is True
    assert settings["endpoints"] == {"s3": "http://x"} and settings["allowed_account_ids"] == ["1"]
