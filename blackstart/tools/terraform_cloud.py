"""The door to HCP Terraform, Terraform Enterprise, or another server that speaks their API (v2, JSON:API)."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from blackstart.errors import BlackstartError, ConfigError, Locked, ToolFailed

MEDIA = "application/vnd.api+json"
A_SECOND = 28.0  # requests; 30 are allowed, and they do not arrive as evenly as they are sent
TRIES = 7
LONGEST_PAUSE = 20.0
SAFE_TO_REPEAT = ("GET", "PUT", "PATCH", "DELETE")
REFUSED = (429, 503)


class NotThere(ConfigError):
    """404: it does not exist, or the token may not see it; the API tells no difference."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A resource of the API: `related` holds the ids of its to-one relationships, by name."""

    id: str
    type: str
    attributes: Mapping[str, Any] = field(repr=False)
    related: Mapping[str, str] = field(repr=False)


class TerraformCloud:
    """One host. Fewer than the 30 requests a second that are documented; waits as long as a 429 asks for.

    A 5xx or a dropped connection is tried again where repeating does no harm: a POST is not (it may have been
    carried out), except when the server says 503. `pause` and `clock` are in seconds.
    """

    def __init__(
        self,
        hostname: str,
        token: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hostname = hostname
        self.pause = pause
        self.clock = clock
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": MEDIA, "Accept": MEDIA}
        self._http = httpx2.Client(verify=ssl.create_default_context(), timeout=30.0, follow_redirects=True)
        self._turn = threading.Lock()
        self._next = 0.0

    def get(self, path: str, **query: str) -> Thing:
        """One resource. Raises NotThere."""
        return _thing(self._call("GET", path, query=query)["data"])

    def find(self, path: str) -> Thing | None:
        """One resource, or None when it is not there."""
        try:
            return self.get(path)
        except NotThere:
            return None

    def list(self, path: str, **query: str) -> Iterator[Thing]:
        """All resources of a collection, page after page."""
        page: int | None = 1
        while page:
            answer = self._call("GET", path, query={"page[size]": "100", **query, "page[number]": str(page)})
            yield from map(_thing, answer["data"])
            page = answer.get("meta", {}).get("pagination", {}).get("next-page")

    def create(
        self, path: str, kind: str, attributes: Mapping[str, Any], related: Mapping[str, tuple[str, str]] | None = None
    ) -> Thing:
        """Make a resource; `related` maps a relationship to type and id."""
        return _thing(self._call("POST", path, _document(kind, attributes, related))["data"])

    def change(
        self, path: str, kind: str, attributes: Mapping[str, Any], related: Mapping[str, tuple[str, str]] | None = None
    ) -> Thing:
        """Change the given attributes of a resource."""
        return _thing(self._call("PATCH", path, _document(kind, attributes, related))["data"])

    def act(self, path: str, **body: str) -> None:
        """An action, such as `workspaces/ws-1/actions/lock`. Raises Locked for a 409."""
        self._call("POST", path, body)

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """A POST whose body is no single resource, such as new members of a relationship."""
        self._call("POST", path, body)

    def delete(self, path: str) -> None:
        """Remove a resource."""
        self._call("DELETE", path)

    def json(self, path: str) -> Any:
        """A document that is no resource, such as a plan's JSON output."""
        return self._call("GET", path)

    def download(self, url: str) -> bytes:
        """What an absolute URL of an answer holds, asked for with the token, as HashiCorp's own client does."""
        return self._send("GET", url, headers={"Authorization": self._headers["Authorization"]}).content

    def log(self, url: str, offset: int) -> bytes:
        """The rest of a log; its URL is signed and needs no token."""
        return self._send("GET", url, params={"limit": str(1 << 20), "offset": str(offset)}).content

    def upload(self, url: str, content: bytes) -> None:
        """Put to a signed URL."""
        self._send("PUT", url, content=content, headers={"Content-Type": "application/octet-stream"})

    def _call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        url = f"https://{self.hostname}/api/v2/{path}"
        answer = self._send(method, url, headers=self._headers, json=body, params=dict(query or {}) or None)
        return answer.json() if answer.content else {}

    def _send(self, method: str, url: str, **request: Any) -> httpx2.Response:
        """Send until it is answered for good. Raises the error of the answer."""
        attempt = 0
        while True:
            self._wait_for_turn()
            attempt += 1
            repeatable = attempt < TRIES and method in SAFE_TO_REPEAT
            try:
                answer = self._http.request(method, url, **request)
            except httpx2.HTTPError as error:
                if not repeatable:
                    raise ToolFailed(f"{self.hostname}: {error}", hint="is it reachable? then the same again") from None
                self.pause(_longer(attempt))
                continue
            refused = attempt < TRIES and answer.status_code in REFUSED
            if answer.status_code < 400:
                return answer
            if not refused and not (repeatable and answer.status_code >= 500):
                raise self._error(method, answer)
            self.pause(_asked_for(answer, _longer(attempt)))

    def _wait_for_turn(self) -> None:
        with self._turn:
            now = self.clock()
            mine = max(now, self._next)
            self._next = mine + 1 / A_SECOND
        if mine > now:
            self.pause(mine - now)

    def _error(self, method: str, answer: httpx2.Response) -> BlackstartError:
        what = f"{self.hostname} {method} {answer.request.url.path}: {answer.status_code} {_said(answer)}".rstrip()
        login = f"terraform login {self.hostname}, or another token in TF_TOKEN_… or TFE_TOKEN"
        if answer.status_code in (401, 403):
            return ConfigError(what, hint=login)
        if answer.status_code == 404:
            return NotThere(f"{what} (or the token may not see it)", hint="blackstart cloud setup --dry-run")
        if answer.status_code == 409 and "/actions/" in answer.request.url.path:
            return Locked(what, hint="who has it says: blackstart cloud runs")
        return ToolFailed(what, hint="the same again; if it stays so, look at the server's status page")


def _thing(data: Mapping[str, Any]) -> Thing:
    relations = {name: body.get("data") for name, body in (data.get("relationships") or {}).items()}
    related = {name: str(one["id"]) for name, one in relations.items() if isinstance(one, dict)}
    return Thing(str(data["id"]), str(data["type"]), data.get("attributes") or {}, related)


def _document(
    kind: str, attributes: Mapping[str, Any], related: Mapping[str, tuple[str, str]] | None
) -> dict[str, Any]:
    data: dict[str, Any] = {"type": kind, "attributes": dict(attributes)}
    if related:
        data["relationships"] = {name: {"data": {"type": of, "id": one}} for name, (of, one) in related.items()}
    return {"data": data}


def _longer(attempt: int) -> float:
    return min(LONGEST_PAUSE, 0.125 * 2.0**attempt)


def _asked_for(answer: httpx2.Response, otherwise: float) -> float:
    """Seconds that the server asks for (HCP: X-RateLimit-Reset, a fraction of a second; proxies: Retry-After)."""
    for name in ("Retry-After", "X-RateLimit-Reset"):
        try:
            return min(LONGEST_PAUSE, max(0.0, float(answer.headers[name])))
        except (KeyError, ValueError):
            continue
    return otherwise


def _said(answer: httpx2.Response) -> str:
    try:
        errors = answer.json()["errors"]
        return "; ".join(
            str(one.get("detail") or one.get("title", "")) if isinstance(one, dict) else one for one in errors
        )
    except (ValueError, KeyError, TypeError):
        return ""
