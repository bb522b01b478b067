"""CRDs that an operator registers when it runs, which here it does not: applied from where the HelmRelease says.

The annotation `blackstart/runtime-crds` of a HelmRelease lists URLs, apart by blanks; `{version}` is the version of its
chart, so that the source is pinned as the chart is (issue 6). On clusters with real pods nobody reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import httpx2
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blackstart.embedded.simulated import Simulated
from blackstart.errors import BlackstartError, ConfigError, ToolFailed
from blackstart.tools.kubernetes import Cluster, Object, path_of

RELEASE, CRD = "HelmRelease", "CustomResourceDefinition"
SOURCES = "blackstart/runtime-crds"
SECONDS = 20.0
AGAIN = 15.0
"""Seconds until a source that could not be had is asked once more."""


def sources(release: Object) -> tuple[str, ...]:
    """The URLs of its CRDs; none for a release without them, or whose chart has no version (the bundled ones).

    For no version the API puts `*` (helm-controller, spec v2, "Chart template").
    """
    urls = str((release["metadata"].get("annotations") or {}).get(SOURCES, "")).split()
    version = str(release["spec"].get("chart", {}).get("spec", {}).get("version") or "*")
    return tuple(url.replace("{version}", version) for url in urls if version != "*" or "{version}" not in url)


def fetch(url: str) -> list[Object]:
    """The CRDs at a URL. Raises ToolFailed when it cannot be had, ConfigError when something else is there."""
    hint = f"look at the annotation {SOURCES} of the HelmRelease"
    try:
        answer = httpx2.get(url, timeout=SECONDS, follow_redirects=True)
        answer.raise_for_status()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ToolFailed(f"{url}: {str(error) or type(error).__name__}", hint=hint) from None
    try:
        found = [document for document in YAML(typ="safe").load_all(answer.text) if document]
    except YAMLError:
        raise ConfigError(f"{url} is not YAML", hint=hint) from None
    if not found or any(not isinstance(one, Mapping) or one.get("kind") != CRD for one in found):
        raise ConfigError(f"{url} holds not only CRDs", hint=hint)
    return [{part: value for part, value in crd.items() if part != "status"} for crd in found]


class Operators:
    """Registers what the operators of the releases would have."""

    def __init__(self, cluster: Cluster, simulated: Simulated, get: Callable[[str], list[Object]] = fetch) -> None:
        self._cluster = cluster
        self._simulated = simulated
        self._get = get
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._done: set[tuple[str, tuple[str, ...]]] = set()
        self._lock = threading.Condition()

    def see(self, releases: Mapping[str, Object]) -> None:
        """Take in which releases there are now."""
        with self._lock:
            self._wanted = {name: urls for name, one in releases.items() if (urls := sources(one))}
            self._lock.notify()

    def serve(self) -> None:
        """Bring what is wanted and not done, again while it cannot be had; never returns."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: any(self._left()), timeout=None)
                left = list(self._left())
            if not all([self.bring(name, urls) for name, urls in left]):
                with self._lock:
                    self._lock.wait(AGAIN)

    def bring(self, name: str, urls: tuple[str, ...]) -> bool:
        """Apply the CRDs of one release; False when they cannot be had, which is said."""
        try:
            for crd in [crd for url in urls for crd in self._get(url)]:
                self._cluster.apply(crd, path=f"{path_of(CRD)}/{crd['metadata']['name']}")
        except BlackstartError as error:
            self._simulated.say("missing-crds", name, error.message)
            return False
        self._done.add((name, urls))
        self._simulated.unsay("missing-crds", name)
        self._simulated.say("crds", name, ", ".join(urls))
        return True

    def _left(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return ((name, urls) for name, urls in self._wanted.items() if (name, urls) not in self._done)
