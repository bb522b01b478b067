"""What of a HelmRelease the CNI's seed takes, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blackstart.config.model import ClusterConfig
from blackstart.errors import ConfigError
from blackstart.layers import Built, Wiring
from blackstart.seed import seed
from blackstart.steps.seed import lacks_network, seed_network

EXPORT = Path("/export")
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
REPOSITORY = {
    "apiVersion": "source.toolkit.fluxcd.io/v1",
    "kind": "HelmRepository",
    "metadata": {"name": "cilium", "namespace": "flux-system"},
    "spec": {"url": "https://charts.example.test"},
}


def values(name: str, text: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"values.yaml": text}}


def release(**spec: Any) -> dict[str, Any]:
    source = {"kind": "HelmRepository", "name": "cilium"}
    chart = {"spec": {"chart": "cilium", "version": "1.2.3", "sourceRef": source}}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {"chart": chart, **spec},
    }


def wired(*objects: dict[str, Any]) -> Wiring:
    return Wiring((), {"controllers": Built(objects)}, Built())


def test_values_are_merged_as_helm_controller_does() -> None:
    sources = [{"kind": "ConfigMap", "name": "one"}, {"kind": "ConfigMap", "name": "two"}]
    found = seed(
        wired(
            REPOSITORY,
            values("one", "a: {x: 1, y: 1}\nlist: [1, 2]\n"),
            values("two", "a: {y: 2}\nlist: [3]\n"),
            release(valuesFrom=sources, values={"a": {"z": 3}}),
        ),
        EXPORT,
    )
    assert found is not None
    assert found.values == {"a": {"x": 1, "y": 2, "z": 3}, "list": [3]}
    assert found.chart.words == ("cilium", "--version", "1.2.3", "--repo", "https://charts.example.test")
    assert (found.release, found.namespace) == ("cilium", "kube-system")


def test_an_oci_repository_and_a_chart_of_the_same_commit() -> None:
    oci = {**REPOSITORY, "spec": {"url": "oci://registry.example.test/charts/"}}
    found = seed(wired(oci, release()), EXPORT)
    assert found is not None
    assert found.chart.words == ("oci://registry.example.test/charts/cilium", "--version", "1.2.3")
    here = {"spec": {"chart": "./charts/cilium", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}}
    found = seed(wired(release(chart=here)), EXPORT)
    assert found is not None
    assert found.chart.words == ("/export/charts/cilium",)


def test_the_name_of_the_release_is_what_flux_would_give_it() -> None:
    found = seed(wired(REPOSITORY, release(targetNamespace="net", storageNamespace="net")), EXPORT)
    assert found is not None
    assert (found.release, found.namespace) == ("net-cilium", "net")


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([REPOSITORY, release(valuesFrom=[{"kind": "Secret", "name": "s"}])], "Secret/s: the CNI is installed before"),
        ([REPOSITORY, release(valuesFrom=[{"kind": "ConfigMap", "name": "gone"}])], "no such key values.yaml"),
        ([REPOSITORY, release(valuesFrom=[{"kind": "ConfigMap", "name": "c", "targetPath": "a.b"}])], "targetPath"),
        ([REPOSITORY, release(targetNamespace="net")], "keeps its record in kube-system"),
        ([release()], "takes its chart from HelmRepository cilium"),
    ],
)
def test_what_only_the_cluster_could_know_is_refused(objects: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        seed(wired(*objects), EXPORT)
    assert refused.value.hint


def test_an_optional_source_may_be_missing() -> None:
    optional = [{"kind": "ConfigMap", "name": "gone", "optional": True}]
    found = seed(wired(REPOSITORY, release(valuesFrom=optional, values={"a": 1})), EXPORT)
    assert found is not None
    assert found.values == {"a": 1}


def test_without_a_helm_release_there_is_nothing_to_seed() -> None:
    assert seed(wired(REPOSITORY), EXPORT) is None


class Nodes:
    """An API that has only nodes."""

    def __init__(self, *messages: str) -> None:
        self.messages = messages

    def list_all(self, kind: str) -> list[dict[str, Any]]:
        assert kind == "Node"
        return [
            {"status": {"conditions": [{"type": "Ready", "status": "False" if text else "True", "message": text}]}}
            for text in self.messages
        ]


@pytest.mark.parametrize(
    ("messages", "lacking"),
    [
        (("cni plugin not initialized", "container runtime network not ready: NetworkPluginNotReady"), True),
        (("kubelet stopped posting node status",), False),
        (("",), False),
        ((), False),
    ],
)
def test_of_somebody_else_s_cluster_the_nodes_tell(messages: tuple[str, ...], lacking: bool) -> None:
    assert lacks_network(existing(), Nodes(*messages)) is lacking  # type: ignore[arg-type]


def existing(**state: Any) -> ClusterConfig:
    return ClusterConfig.model_validate(
        {
            "cluster": {"provider": "existing"},
            "git": {"url": "https://git.example.test/it.git", "path": "p"},
            "sops": {"recipients": [RECIPIENT]},
            "state": state,
        }
    )


def test_runs_elsewhere_seed_nothing() -> None:
    config = existing(backend="cloud", cloud={"organization": "o", "execution": "remote"})
    nodes = Nodes("cni plugin not initialized")
    run = SimpleNamespace(config=config, ws=SimpleNamespace(cluster="far"), exported=EXPORT, cluster=lambda: nodes)
    with pytest.raises(ConfigError, match="the nodes of far have no CNI") as refused:
        seed_network(run)  # type: ignore[arg-type]
    assert (refused.value.exit_code, "state.cloud.execution: local" in refused.value.hint) == (2, True)
