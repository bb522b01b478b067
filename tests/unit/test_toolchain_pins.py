"""The pins agree with the go.mod files, and name nothing twice."""

import re
import tomllib

from blackstart.toolchain.charts import MODULE
from blackstart.toolchain.pins import FOLDER, pins, required, this_platform

KEYS = {
    "path",
    "probe",
    "module",
    "go",
    "package",
    "ldflags",
    "seconds",
    "wheel",
    "requirements",
    "mirror",
    "sources",
    "download",
    "npm",
    "optional",
}
PROGRAMS = {
    "terraform",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kwok",
    "kwokctl",
    "helm",
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "terraform-provider-kubernetes",
    "terraform-provider-helm",
    "sops",
    "node",
    "go",
    "build-layers",
    "cdktf",
}


def test_every_outside_program_is_pinned_once() -> None:
    assert set(pins()) == PROGRAMS


def test_pins_hold_no_key_that_nobody_reads() -> None:
    said = tomllib.loads((FOLDER / "pins.toml").read_text())["programs"]
    assert {key for pin in said.values() for key in pin} <= KEYS


def test_every_program_has_a_version_and_a_way_to_get_it() -> None:
    for pin in pins().values():
        assert pin.version, pin.name
        assert pin.build or pin.wheel or pin.requirements or pin.npm, pin.name


def test_what_is_built_is_a_tool_of_its_go_mod_and_verified_by_go_sum() -> None:
    for pin in pins().values():
        if pin.build:
            tools = re.findall(r"^(?:tool)?\s+(\S+)$", (pin.build.go / "go.mod").read_text(), re.MULTILINE)
            assert pin.build.package in tools, pin.name
            assert (pin.build.go / "go.sum").stat().st_size > 0


def test_kubernetes_says_its_version() -> None:
    apiserver = pins()["kube-apiserver"]
    assert apiserver.build is not None
    assert f"version.gitVersion=v{apiserver.version} " in apiserver.build.ldflags
    assert "version.gitMajor=1 " in apiserver.build.ldflags


def test_staging_modules_are_those_of_the_kubernetes_release() -> None:
    text = (FOLDER / "go" / "go.mod").read_text()
    minor = pins()["kube-apiserver"].version.removeprefix("1.")
    staging = re.findall(r"^\s+k8s\.io/\S+ => k8s\.io/\S+ v0\.(\S+)$", text, re.MULTILINE)
    assert len(staging) == 33
    assert set(staging) == {minor}


def test_flux_manifests_come_from_a_pinned_module() -> None:
    assert required(FOLDER / "flux", MODULE)


def test_a_download_is_pinned_by_a_whole_sha256() -> None:
    said = tomllib.loads((FOLDER / "pins.toml").read_text())["programs"]
    for pin in said.values():
        for release in pin.get("download", {}).values():
            assert re.fullmatch(r"[0-9a-f]{64}", release["sha256"])


def test_a_download_is_the_version_that_go_mod_pins() -> None:
    said = tomllib.loads((FOLDER / "pins.toml").read_text())["programs"]
    releases = [(name, release["url"]) for name, pin in said.items() for release in pin.get("download", {}).values()]
    assert {name for name, _ in releases} == {"terraform", "kwok", "kwokctl", "helm"}
    for name, url in releases:
        assert pins()[name].version in url


def test_the_platform_is_named_as_terraform_names_it() -> None:
    assert re.fullmatch(r"[a-z0-9]+_(amd64|arm64)", this_platform())


def test_the_lock_of_the_python_packages_follows_pyproject() -> None:
    root = FOLDER.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (root / "requirements.lock").read_text(), re.MULTILINE))
    names = {re.split(r"[\[<>=~! ]", one)[0].lower().replace("_", "-").replace(".", "-") for one in wanted}
    assert names <= locked, "run: make lock"


def test_locks_name_no_registry() -> None:
    for lock in (FOLDER.parent / "requirements.lock", FOLDER / "cdktf" / "package-lock.json"):
        text = lock.read_text()
        assert '"resolved"' not in text
        assert "--index-url" not in text
        assert re.search(r"sha256:|sha512-", text)


def test_with_registries_only_the_first_installation_takes_at_most_twenty_minutes() -> None:
    """The estimate that is told at the start (issue 3, item 2), terraform included."""
    assert sum(pin.build.seconds for pin in pins().values() if pin.build) <= 20 * 60
