"""What nobody does on simulated nodes: volumes bind, load balancers get addresses, webhooks do not block.

Only what keeps a bootstrap from its end; all of it is said in `simulated.json` (issue 6).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import Any

from blackstart.embedded.simulated import Simulated
from blackstart.errors import BlackstartError
from blackstart.tools.kubernetes import Cluster, Object

Objects = Mapping[str, Object]
CLAIM, VOLUME, SERVICE = "PersistentVolumeClaim", "PersistentVolume", "Service"
CLASS = "StorageClass.storage.k8s.io"
WEBHOOKS = tuple(f"{kind}WebhookConfiguration.admissionregistration.k8s.io" for kind in ("Validating", "Mutating"))
KINDS = (CLASS, CLAIM, VOLUME, SERVICE, *WEBHOOKS)
BY = "blackstart.simulated/volume"
"""As provisioner it is unknown to Kubernetes, which therefore leaves the deletion of such volumes to us."""


def volume_for(claim: Object, storage_class: Object | None) -> Object | None:
    """A volume bound to a claim that waits for a provisioner; None when it waits for something else."""
    meta, spec = claim["metadata"], claim["spec"]
    if spec.get("volumeName") or "deletionTimestamp" in meta or storage_class is None:
        return None
    if storage_class["provisioner"] == "kubernetes.io/no-provisioner":
        return None
    return {
        "apiVersion": "v1",
        "kind": VOLUME,
        "metadata": {"name": f"simulated-{meta['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": BY}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "hostPath": {"path": "/simulated"},
            "claimRef": {
                **{"apiVersion": "v1", "kind": CLAIM, "namespace": meta["namespace"]},
                **{"name": meta["name"], "uid": meta["uid"]},
            },
        },
    }


def is_released(volume: Object) -> bool:
    """Whether a provisioner would now delete this volume of ours."""
    ours = volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == BY
    deletes = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    return bool(ours and deletes and volume.get("status", {}).get("phase") == "Released")


def addresses(pool: str) -> Iterator[str]:
    """The addresses of a pool, in order: CIDRs or ranges `first-last`, separated by commas; nonsense is skipped."""
    for part in filter(None, (each.strip() for each in pool.split(","))):
        first, _, last = part.partition("-")
        try:
            if last:
                low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
                yield from (str(low + step) for step in range(int(high) - int(low) + 1))
            else:
                yield from map(str, ipaddress.ip_network(part, strict=False).hosts())
        except ValueError:
            continue


def address_for(service: Object, pool: str, taken: Set[str]) -> str | None:
    """The address that a LoadBalancer Service without one gets: the one it asks for, else the first free one."""
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or ingress(service) or "deletionTimestamp" in service["metadata"]:
        return None
    asked = spec.get("loadBalancerIP")
    return next((each for each in addresses(pool) if each not in taken and asked in (None, "", each)), None)


def ingress(service: Object) -> list[str]:
    """The addresses that a Service has."""
    found = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [str(each["ip"]) for each in found if "ip" in each]


def ignoring(configuration: Object, services: Objects) -> tuple[Object, list[str]] | None:
    """A patch by which webhooks of simulated pods are ignored, and their Services; None when nothing is to be changed.

    A Service that selects pods has only simulated ones here. One without a selector, or none at all, is left: what
    blocks then would block in production too.
    """
    hooks = configuration.get("webhooks") or []
    behind = [_service(hook) for hook in hooks]
    blocked = [bool(name and services.get(name, {}).get("spec", {}).get("selector")) for name in behind]
    if not any(blocked):
        return None
    changed = [{**hook, "failurePolicy": "Ignore"} if bad else hook for hook, bad in zip(hooks, blocked, strict=True)]
    patch = {"metadata": {"resourceVersion": configuration["metadata"]["resourceVersion"]}, "webhooks": changed}
    return patch, sorted({name for name, bad in zip(behind, blocked, strict=True) if bad})


def _service(hook: Mapping[str, Any]) -> str:
    """The Service (namespace/name) of a webhook that blocks when it does not answer; blank for others."""
    service = hook["clientConfig"].get("service")
    fails = hook.get("failurePolicy", "Fail") == "Fail"
    return f"{service['namespace']}/{service['name']}" if service and fails else ""


class Realism:
    """Reacts to what the cluster holds, as provisioners and load balancers would."""

    def __init__(self, cluster: Cluster, simulated: Simulated) -> None:
        self._cluster = cluster
        self._simulated = simulated
        self._seen: dict[str, Objects] = {}
        self._given: dict[str, str] = {}

    def see(self, kind: str, objects: Objects) -> None:
        """Act on all objects of a kind, and on those that wait for them."""
        self._seen[kind] = objects
        if kind in (CLASS, CLAIM):
            self._each(CLAIM, self._bind)
        if kind == VOLUME:
            self._each(VOLUME, self._delete)
        if kind == SERVICE:
            present = {service["metadata"]["uid"] for service in objects.values()}
            self._given = {uid: address for uid, address in self._given.items() if uid in present}
            self._each(SERVICE, self._address)
        for configurations in WEBHOOKS:
            if kind in (SERVICE, configurations):
                self._each(configurations, partial(self._ignore, configurations))

    def _each(self, kind: str, act: Callable[[str, Object], None]) -> None:
        """What was changed by somebody else meanwhile is told again."""
        for name, item in self._seen.get(kind, {}).items():
            try:
                act(name, item)
            except BlackstartError as error:
                print(f"{kind} {name}: {error.message}", flush=True)  # noqa: T201

    def _bind(self, name: str, claim: Object) -> None:
        class_name = str(claim["spec"].get("storageClassName", ""))
        volume = volume_for(claim, self._seen.get(CLASS, {}).get(class_name))
        if volume and not self._cluster.get(VOLUME, volume["metadata"]["name"]):
            self._cluster.create(VOLUME, volume)
            self._simulated.say("volumes", name, class_name)

    def _delete(self, name: str, volume: Object) -> None:
        if is_released(volume) and "deletionTimestamp" not in volume["metadata"]:
            self._cluster.delete(VOLUME, name)

    def _address(self, name: str, service: Object) -> None:
        meta = service["metadata"]
        if service["spec"].get("type") != "LoadBalancer" or meta["uid"] in self._given:
            return
        settings = self._cluster.get("ConfigMap", "cluster-settings", "flux-system") or {}
        taken = set(self._given.values()).union(*map(ingress, self._seen[SERVICE].values()))
        address = address_for(service, settings.get("data", {}).get("ip_pool", ""), taken)
        if address is None:
            return
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        self._cluster.patch(SERVICE, f"{meta['name']}/status", meta["namespace"], status)
        self._given[meta["uid"]] = address
        self._simulated.say("addresses", name, address)

    def _ignore(self, kind: str, name: str, configuration: Object) -> None:
        found = ignoring(configuration, self._seen.get(SERVICE, {}))
        if found:
            self._cluster.patch(kind, name, "", found[0])
            self._simulated.say("webhooks", name, ", ".join(found[1]))
