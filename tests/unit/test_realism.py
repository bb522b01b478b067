"""What is pretended on simulated nodes, as far as it can be told without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blackstart.embedded import operators, realism
from blackstart.embedded.simulated import Simulated, sentences
from blackstart.errors import ToolFailed


def claim(**spec: object) -> dict[str, Any]:
    whole = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "iscsi",
        "resources": {"requests": {"storage": "8Gi"}},
        **spec,
    }
    return {"metadata": {"name": "data", "namespace": "gitlab", "uid": "u-1"}, "spec": whole}


def balancer(uid: str = "u", **spec: object) -> dict[str, Any]:
    return {"metadata": {"name": "s", "namespace": "n", "uid": uid}, "spec": {"type": "LoadBalancer", **spec}}


CLASS = {"provisioner": "org.democratic-csi.iscsi", "reclaimPolicy": "Retain"}


def test_a_waiting_claim_gets_a_volume_of_its_class_size_and_policy() -> None:
    volume = realism.volume_for(claim(), CLASS)
    assert volume is not None
    spec = volume["spec"]
    assert spec["capacity"] == {"storage": "8Gi"}
    assert spec["storageClassName"] == "iscsi"
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert spec["claimRef"]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("waiting", "storage_class"),
    [
        (claim(volumeName="pv"), CLASS),
        (claim(), None),
        (claim(), {"provisioner": "kubernetes.io/no-provisioner"}),
    ],
)
def test_a_claim_that_waits_for_no_provisioner_is_left_alone(
    waiting: dict[str, Any], storage_class: dict[str, Any] | None
) -> None:
    assert realism.volume_for(waiting, storage_class) is None


@pytest.mark.parametrize(
    ("phase", "policy", "by", "expected"),
    [
        ("Released", "Delete", realism.BY, True),
        ("Bound", "Delete", realism.BY, False),
        ("Released", "Retain", realism.BY, False),
        ("Released", "Delete", "somebody", False),
    ],
)
def test_only_our_released_volumes_are_deleted(phase: str, policy: str, by: str, expected: bool) -> None:
    volume = {
        "metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": by}},
        "spec": {"persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }
    assert realism.is_released(volume) is expected


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("192.0.2.0/30", ["192.0.2.1", "192.0.2.2"]),
        ("192.0.2.9 - 192.0.2.10, 192.0.2.7/32", ["192.0.2.9", "192.0.2.10", "192.0.2.7"]),
        ("nonsense, 192.0.2.1-x,", []),
        ("", []),
    ],
)
def test_pools(pool: str, expected: list[str]) -> None:
    assert list(realism.addresses(pool)) == expected


def test_a_load_balancer_gets_the_first_free_address_or_the_one_it_asks_for() -> None:
    pool = "192.0.2.1-192.0.2.3"
    assert realism.address_for(balancer(), pool, {"192.0.2.1"}) == "192.0.2.2"
    assert realism.address_for(balancer(loadBalancerIP="192.0.2.3"), pool, set()) == "192.0.2.3"
    assert realism.address_for(balancer(loadBalancerIP="198.51.100.1"), pool, set()) is None
    assert realism.address_for(balancer(), pool, set(realism.addresses(pool))) is None
    assert realism.address_for({**balancer(), "spec": {"type": "ClusterIP"}}, pool, set()) is None
    served = {**balancer(), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert realism.address_for(served, pool, set()) is None


PODS = {"n/x": {"spec": {"selector": {"app": "x"}}}, "n/elsewhere": {"spec": {}}}


def hook(name: str, service: str = "", url: str = "") -> dict[str, Any]:
    client: dict[str, Any] = {"url": url} if url else {"service": {"name": service, "namespace": "n"}}
    return {"name": name, "clientConfig": client, "failurePolicy": "Fail"}


def test_webhooks_of_simulated_pods_are_ignored_and_others_kept() -> None:
    hooks = [hook("a", "x"), hook("b", url="https://x"), hook("c", "elsewhere"), hook("d", "absent")]
    found = realism.ignoring({"metadata": {"resourceVersion": "7"}, "webhooks": hooks}, PODS)
    assert found is not None
    patch, services = found
    assert [each["failurePolicy"] for each in patch["webhooks"]] == ["Ignore", "Fail", "Fail", "Fail"]
    assert patch["metadata"] == {"resourceVersion": "7"}
    assert services == ["n/x"]
    assert realism.ignoring({"metadata": {}, "webhooks": hooks[1:]}, PODS) is None
    assert realism.ignoring({"metadata": {}}, PODS) is None


class Answers:
    """What `Realism` asks of a cluster, kept in a dictionary."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = objects
        self.patched: list[tuple[str, str, str, dict[str, Any]]] = []
        self.applied: list[str] = []

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        return self.objects.get(kind)

    def create(self, kind: str, body: dict[str, Any]) -> None:
        self.objects[kind] = body

    def delete(self, kind: str, name: str) -> None:
        del self.objects[kind]

    def patch(self, kind: str, name: str, namespace: str, patch: dict[str, Any]) -> None:
        self.patched.append((kind, name, namespace, patch))

    def apply(self, body: dict[str, Any], *, path: str) -> None:
        self.applied.append(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "simulated.json"


def pretender(cluster: Answers, file: Path) -> realism.Realism:
    return realism.Realism(cluster, Simulated(file))  # type: ignore[arg-type]


def test_two_load_balancers_seen_one_after_the_other_get_two_addresses(file: Path) -> None:
    cluster = Answers(ConfigMap={"data": {"ip_pool": "192.0.2.0/30"}})
    pretends = pretender(cluster, file)
    pretends.see("Service", {"n/a": balancer(uid="1")})
    pretends.see("Service", {"n/a": balancer(uid="1"), "n/b": balancer(uid="2")})
    given = [patch["status"]["loadBalancer"]["ingress"] for _, _, _, patch in cluster.patched]
    assert given == [[{"ip": "192.0.2.1"}], [{"ip": "192.0.2.2"}]]
    assert [name for _, name, _, _ in cluster.patched] == ["s/status", "s/status"]


def test_the_address_of_a_service_that_is_gone_is_given_again(file: Path) -> None:
    cluster = Answers(ConfigMap={"data": {"ip_pool": "192.0.2.1/32"}})
    pretends = pretender(cluster, file)
    pretends.see("Service", {"n/a": balancer(uid="1")})
    pretends.see("Service", {})
    pretends.see("Service", {"n/b": balancer(uid="2")})
    assert len(cluster.patched) == 2


def test_a_claim_is_bound_once_also_when_its_class_comes_later(file: Path) -> None:
    cluster = Answers()
    pretends = pretender(cluster, file)
    pretends.see(realism.CLAIM, {"gitlab/data": claim()})
    assert "PersistentVolume" not in cluster.objects
    pretends.see(realism.CLASS, {"iscsi": CLASS})
    made = cluster.objects["PersistentVolume"]
    pretends.see(realism.CLAIM, {"gitlab/data": claim()})
    assert cluster.objects["PersistentVolume"] is made


def test_a_webhook_whose_service_comes_later_is_ignored_then_and_that_is_said_aloud(file: Path) -> None:
    cluster = Answers()
    configuration = {"metadata": {"name": "w", "resourceVersion": "1"}, "webhooks": [hook("a", "x")]}
    pretends = pretender(cluster, file)
    pretends.see(realism.WEBHOOKS[0], {"w": configuration})
    assert (cluster.patched, sentences(file, aloud=True)) == ([], [])
    pretends.see("Service", {name: {**one, "metadata": {"uid": name}} for name, one in PODS.items()})
    assert [(kind, name) for kind, name, _, _ in cluster.patched] == [(realism.WEBHOOKS[0], "w")]
    (said,) = sentences(file, aloud=True)
    assert "Ignore" in said and said.endswith("webhook w (n/x)")


def release(version: str | None, *urls: str) -> dict[str, Any]:
    spec = {"chart": {"spec": {"version": version} if version else {}}}
    return {"metadata": {"annotations": {operators.SOURCES: " ".join(urls)}}, "spec": spec}


def test_the_source_of_crds_is_pinned_as_the_chart_is() -> None:
    urls = ("https://x/v{version}/a.yaml", "https://x/b.yaml")
    assert operators.sources(release("1.2.3", *urls)) == ("https://x/v1.2.3/a.yaml", "https://x/b.yaml")
    assert operators.sources(release(None, urls[0])) == operators.sources(release("*", urls[0])) == ()
    assert operators.sources({"metadata": {}, "spec": {}}) == ()


def test_crds_that_cannot_be_had_are_said_until_they_are_applied(file: Path) -> None:
    cluster, there = Answers(), []

    def get(url: str) -> list[dict[str, Any]]:
        if not there:
            raise ToolFailed(f"{url}: no answer", hint="")
        return there

    registered = operators.Operators(cluster, Simulated(file), get)  # type: ignore[arg-type]
    assert not registered.bring("n/cilium", ("https://x",))
    assert sentences(file, aloud=True)[0].endswith("CRDs of n/cilium (https://x: no answer)")
    there.append({"metadata": {"name": "pools.example.test"}})
    assert registered.bring("n/cilium", ("https://x",))
    assert cluster.applied == ["apis/apiextensions.k8s.io/v1/customresourcedefinitions/pools.example.test"]
    assert sentences(file, aloud=True) == []
    assert sentences(file, aloud=False)[0].endswith("CRDs of n/cilium (https://x)")


def test_what_was_said_is_known_after_a_restart_and_private(file: Path) -> None:
    Simulated(file).say("volumes", "n/a", "iscsi")
    Simulated(file).say("volumes", "n/b", "nfs")
    assert json.loads(file.read_text()) == {"volumes": {"n/a": "iscsi", "n/b": "nfs"}}
    assert file.stat().st_mode & 0o777 == 0o600
