"""The door to a Kubernetes API: lightkube reads the kubeconfig and authenticates, objects stay as JSON."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError as KubeconfigError
from yaml import YAMLError  # type: ignore[import-untyped]

from blackstart.errors import BlackstartError, ConfigError, ToolFailed

Object = dict[str, Any]

PLURALS = {
    "Namespace": "api/v1 namespaces",
    "Node": "api/v1 nodes",
    "Pod": "api/v1 pods",
    "Secret": "api/v1 secrets",
    "ConfigMap": "api/v1 configmaps",
    "Service": "api/v1 services",
    "Event": "api/v1 events",
    "PersistentVolume": "api/v1 persistentvolumes",
    "PersistentVolumeClaim": "api/v1 persistentvolumeclaims",
    "Deployment": "apis/apps/v1 deployments",
    "DaemonSet": "apis/apps/v1 daemonsets",
    "StatefulSet": "apis/apps/v1 statefulsets",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1 clusterrolebindings",
    "CustomResourceDefinition": "apis/apiextensions.k8s.io/v1 customresourcedefinitions",
    "GitRepository": "apis/source.toolkit.fluxcd.io/v1 gitrepositories",
    "HelmChart": "apis/source.toolkit.fluxcd.io/v1 helmcharts",
    "HelmRepository": "apis/source.toolkit.fluxcd.io/v1 helmrepositories",
    "Kustomization": "apis/kustomize.toolkit.fluxcd.io/v1 kustomizations",
    "HelmRelease": "apis/helm.toolkit.fluxcd.io/v2 helmreleases",
}


class ApiDenied(BlackstartError):
    """The API answered, but not to us: x509, 401 or 403. Never a proof of loss (design, section 6)."""

    exit_code = 8


class ApiUnreachable(BlackstartError):
    """The API did not answer; `refused` tells a refusal from silence, which proves nothing."""

    exit_code = 4

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message, hint="blackstart recover")
        self.refused = refused


class UnknownKind(ToolFailed):
    """The API does not serve such a kind: its CRD is not there (yet)."""


class Conflict(ToolFailed):
    """The object exists already or has changed meanwhile (HTTP 409)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster this is: kube-system's UID, the sha256 of its CA, its address."""

    uid: str
    ca_sha256: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch: `type` is ADDED, MODIFIED or DELETED."""

    type: str
    object: Object


class Cluster:
    """A Kubernetes API, by kubeconfig; `timeout` in seconds bounds each request but watches.

    Raises ApiDenied, ApiUnreachable or ToolFailed from every method.
    """

    def __init__(self, kubeconfig: Path, *, context: str = "", timeout: float = 10) -> None:
        if not kubeconfig.is_file():
            raise ConfigError(f"no kubeconfig at {kubeconfig}", hint="blackstart up")
        try:
            found = KubeConfig.from_file(kubeconfig).get(context or None)
            if found is None:
                raise ConfigError(f"{kubeconfig} has no context {context}", hint="blackstart kubeconfig")
            params = ConnectionParams(timeout=httpx2.Timeout(timeout), trust_env=False)
            self._http = Client(found, params)
        except (KubeconfigError, YAMLError, ValueError, ssl.SSLError, AttributeError, TypeError) as error:
            raise ConfigError(f"{kubeconfig} is not a kubeconfig: {error}", hint="blackstart kubeconfig") from None
        self.endpoint = str(found.cluster.server)

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object, or None when there is none (or no such kind)."""
        return self._json("GET", f"{path_of(kind, namespace)}/{name}", missing_ok=True)

    def list_all(self, kind: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        """All objects of a kind; empty when the kind is not known to the API."""
        return self.list_at(kind, namespace, labels=labels)[0]

    def list_at(self, kind: str, namespace: str = "", *, labels: str = "") -> tuple[list[Object], str]:
        """As `list_all`, with the resourceVersion to watch from ("" when the kind is not known)."""
        params = {"labelSelector": labels} if labels else {}
        found = self._json("GET", path_of(kind, namespace), params=params, missing_ok=True)
        if found is None:
            return [], ""
        return found["items"], str(found["metadata"]["resourceVersion"])

    def watch(self, kind: str, namespace: str = "", *, since: str = "", seconds: int = 300) -> Iterator[Change]:
        """Changes of a kind since a resourceVersion, as they come, until the server ends the watch."""
        params: dict[str, str | int] = {"watch": "1", "timeoutSeconds": seconds}
        if since:
            params["resourceVersion"] = since
        timeout = httpx2.Timeout(10, read=seconds + 10)
        with (
            _translated(self.endpoint),
            self._http.stream("GET", path_of(kind, namespace), params=params, timeout=timeout) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                _refuse(answer)
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] in ("ERROR", "BOOKMARK"):
                    return
                yield Change(event["type"], event["object"])

    def create(self, kind: str, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object. Raises Conflict when it exists."""
        namespace = str(body["metadata"].get("namespace", ""))
        params = {"dryRun": "All"} if dry_run else {}
        return self._json("POST", path_of(kind, namespace), body=body, params=params) or {}

    def patch(self, kind: str, name: str, namespace: str, patch: Object) -> Object | None:
        """Merge `patch` into an object (RFC 7386), or None when there is none."""
        content = {"Content-Type": "application/merge-patch+json"}
        where = f"{path_of(kind, namespace)}/{name}"
        return self._json("PATCH", where, body=patch, headers=content, missing_ok=True)

    def apply(self, body: Object, *, path: str, dry_run: bool = False) -> Object:
        """Server-side apply as field manager `blackstart`; `path` is the object's REST path."""
        params = {"fieldManager": "blackstart", "force": "true", **({"dryRun": "All"} if dry_run else {})}
        content = {"Content-Type": "application/apply-patch+yaml"}
        return self._json("PATCH", path, body=body, headers=content, params=params) or {}

    def delete(self, kind: str, name: str, namespace: str = "") -> bool:
        """Ask for an object's deletion; False when there was none."""
        return self._json("DELETE", f"{path_of(kind, namespace)}/{name}", missing_ok=True) is not None

    def raw(self, path: str) -> Object | None:
        """GET any path of the API; None when it is not there."""
        return self._json("GET", path, missing_ok=True)

    def path_for(self, body: Object) -> str:
        """The REST path of an object of any kind, by what the API says it serves. Raises UnknownKind."""
        version, kind, meta = str(body["apiVersion"]), body["kind"], body["metadata"]
        base = f"apis/{version}" if "/" in version else f"api/{version}"
        served = _served(self.raw(base) or {}, kind)
        if served is None:
            raise UnknownKind(f"the API knows no {kind} of {version}", hint="its CRD comes with an earlier layer")
        inside = f"namespaces/{meta.get('namespace') or 'default'}/" if served["namespaced"] else ""
        return f"{base}/{inside}{served['name']}/{meta['name']}"

    def learn(self, kind: str) -> bool:
        """Make a kind known to `get`, `list_all` and watches: `Restore`, or `Restore.velero.io` where two share it.

        Returns whether its objects are in namespaces. Raises UnknownKind when the API does not serve it.
        """
        name, _, group = kind.partition(".")
        bases = [PLURALS[kind].split()[0]] if kind in PLURALS else self._groups(group)
        for base in bases:
            served = _served(self.raw(base) or {}, name)
            if served is not None:
                PLURALS[kind] = f"{base} {served['name']}"
                return bool(served["namespaced"])
        raise UnknownKind(f"the API knows no kind {kind}", hint="its CRD comes with an earlier layer")

    def _groups(self, group: str) -> list[str]:
        """Where the API serves the kinds of a group (blank: of all, the core's first)."""
        offered = (self.raw("apis") or {}).get("groups", ())
        named = [f"apis/{one['preferredVersion']['groupVersion']}" for one in offered if group in ("", one["name"])]
        return named if group else ["api/v1", *named]

    def version(self) -> str:
        """The server's version, such as v1.36.3."""
        return str((self._json("GET", "version") or {}).get("gitVersion", ""))

    def healthy(self) -> bool:
        """Whether the server has come up whole: it answers before that."""
        with _translated(self.endpoint):
            return bool(self._http.get("healthz").status_code == 200)

    def server_date(self) -> str:
        """The HTTP date of an answer, for the clock's skew."""
        with _translated(self.endpoint):
            return str(self._http.get("version").headers.get("date", ""))

    def identity(self) -> Identity:
        """Which cluster answers. Raises ToolFailed while kube-root-ca.crt is not yet published."""
        system = self.get("Namespace", "kube-system")
        ca = self.get("ConfigMap", "kube-root-ca.crt", "kube-system")
        if system is None or ca is None:
            raise ToolFailed("the API has no kube-system with kube-root-ca.crt yet", hint="blackstart status")
        digest = hashlib.sha256(ca["data"]["ca.crt"].encode()).hexdigest()
        return Identity(system["metadata"]["uid"], digest, self.endpoint)

    def _json(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        missing_ok: bool = False,
    ) -> Object | None:
        content = json.dumps(body).encode() if body is not None else None
        with _translated(self.endpoint):
            answer = self._http.request(
                method,
                path,
                content=content,
                params=dict(params or {}),
                headers={"Content-Type": "application/json", **(headers or {})},
            )
        if answer.status_code == 404 and missing_ok:
            return None
        if answer.status_code >= 400:
            _refuse(answer)
        parsed: Object = answer.json()
        return parsed


def _served(listing: Object, kind: str) -> Object | None:
    """The resource of that kind (not a subresource) in a group's list."""
    found: list[Object] = listing.get("resources", [])
    return next((one for one in found if one["kind"] == kind and "/" not in one["name"]), None)


def path_of(kind: str, namespace: str = "") -> str:
    """The REST path of a kind's collection: `apis/apps/v1/namespaces/x/deployments`."""
    base, plural = PLURALS[kind].split()
    return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"


def _refuse(answer: httpx2.Response) -> None:
    try:
        message = str(answer.json().get("message", answer.text))
    except ValueError:
        message = answer.text[:300]
    if answer.status_code in (401, 403):
        raise ApiDenied(
            f"the API refuses these credentials ({answer.status_code}): {message}", hint="blackstart kubeconfig"
        )
    if answer.status_code == 409:
        raise Conflict(message, hint="blackstart up")
    raise ToolFailed(f"the API answered {answer.status_code}: {message}", hint="blackstart status")


@contextmanager
def _translated(endpoint: str) -> Iterator[None]:
    """httpx's errors as ours: denied, refused, silent."""
    try:
        yield
    except httpx2.TimeoutException:
        raise ApiUnreachable(f"{endpoint} does not answer in time", refused=False) from None
    except httpx2.TransportError as error:
        text = str(error)
        if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
            raise ApiDenied(f"{endpoint} is not who the kubeconfig says: {text}", hint="blackstart recover") from None
        refused = "refused" in text.lower() or "Errno 111" in text
        what = "refuses connections" if refused else f"cannot be reached: {text}"
        raise ApiUnreachable(f"{endpoint} {what}", refused=refused) from None
