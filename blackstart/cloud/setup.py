"""Finds what differs from what is wanted, and makes it so; a second time there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blackstart.cloud.wanted import Variable, Wanted
from blackstart.errors import ConfigError
from blackstart.tools.terraform_cloud import TerraformCloud, Thing


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `text` shows it (no secret in it), `make` removes it. They are made in their order."""

    text: str
    make: Callable[[], object] = field(repr=False)


class Setup:
    """One organization. Looking takes one request a hundred workspaces, and at most two for each of them."""

    def __init__(self, cloud: TerraformCloud, organization: str, *, renew: bool = False) -> None:
        self._cloud = cloud
        self._root = f"organizations/{organization}"
        self._renew = renew
        self._projects = {str(one.attributes["name"]): one.id for one in cloud.list(f"{self._root}/projects")}
        self._workspaces = {str(one.attributes["name"]): one for one in cloud.list(f"{self._root}/workspaces")}
        self._ids = {name: one.id for name, one in self._workspaces.items()}
        self._pools: dict[str, str] = {}
        self.missing: list[str] = []

    def changes(self, wanted: Sequence[Wanted]) -> list[Change]:
        """What has to change. `missing` names afterwards what a workspace needs and only the operator has."""
        found = [self._project(name) for name in dict.fromkeys(one.project for one in wanted)]
        changes = [change for change in found if change]
        for one in wanted:
            changes += self._workspace(one)
        return changes

    def _project(self, name: str) -> Change | None:
        if name in self._projects:
            return None

        def make() -> None:
            made = self._cloud.create(f"{self._root}/projects", "projects", {"name": name})
            self._projects[name] = made.id

        return Change(f"+ project {name}", make)

    def _workspace(self, wanted: Wanted) -> list[Change]:
        there = self._workspaces.get(wanted.name)
        pool = self._pool(wanted.agent_pool) if wanted.agent_pool else ""
        changes = [self._new(wanted, pool)] if there is None else self._differing(wanted, there, pool)
        tagged = there.attributes.get("tag-names") or () if there else ()
        tags = [tag for tag in wanted.tags if tag not in tagged]
        if tags:
            changes.append(Change(f"+ {wanted.name}: tags {', '.join(tags)}", lambda: self._tag(wanted.name, tags)))
        if wanted.variables or wanted.needs:
            changes += self._variables(wanted, there)
        if wanted.after:
            changes += self._trigger(wanted, there)
        return changes

    def _new(self, wanted: Wanted, pool: str) -> Change:
        def make() -> None:
            attributes = {"name": wanted.name, **wanted.attributes, **({"agent-pool-id": pool} if pool else {})}
            project = {"project": ("projects", self._projects[wanted.project])}
            self._ids[wanted.name] = self._cloud.create(
                f"{self._root}/workspaces", "workspaces", attributes, project
            ).id

        words = ", ".join(f"{key} {_shown(value)}" for key, value in wanted.attributes.items())
        return Change(f"+ workspace {wanted.name} in project {wanted.project}: {words}", make)

    def _differing(self, wanted: Wanted, there: Thing, pool: str) -> list[Change]:
        """The server does not show attributes that it does not know: those are left alone."""
        path, changes = f"workspaces/{there.id}", []
        differing = {
            key: value
            for key, value in wanted.attributes.items()
            if key in there.attributes and there.attributes[key] != value
        }
        if pool and there.related.get("agent-pool") != pool:
            differing["agent-pool-id"] = pool
        if differing:
            words = ", ".join(
                f"{key} {_shown(there.attributes.get(key))} → {_shown(value)}" for key, value in differing.items()
            )
            make = lambda: self._cloud.change(path, "workspaces", differing)  # noqa: E731
            changes.append(Change(f"~ workspace {wanted.name}: {words}", make))
        if there.related.get("project") != self._projects.get(wanted.project, "to be made"):
            changes.append(
                Change(
                    f"~ workspace {wanted.name}: into project {wanted.project}",
                    lambda: self._cloud.change(
                        path, "workspaces", {}, {"project": ("projects", self._projects[wanted.project])}
                    ),
                )
            )
        return changes

    def _tag(self, name: str, tags: Sequence[str]) -> None:
        body = [{"type": "tags", "attributes": {"name": tag}} for tag in tags]
        self._cloud.post(f"workspaces/{self._ids[name]}/relationships/tags", {"data": body})

    def _variables(self, wanted: Wanted, there: Thing | None) -> list[Change]:
        known = list(self._cloud.list(f"workspaces/{there.id}/vars")) if there else []
        held = {(str(one.attributes["key"]), str(one.attributes["category"])): one for one in known}
        changes = [self._variable(wanted.name, one, held.get((one.key, one.category))) for one in wanted.variables]
        given = {one.key for one in wanted.variables} | {key for key, _ in held}
        absent = [name for name in wanted.needs if name not in given]
        if absent:
            self.missing.append(f"{wanted.name}: {', '.join(absent)}")
        return [change for change in changes if change]

    def _variable(self, workspace: str, wanted: Variable, there: Thing | None) -> Change | None:
        attributes: dict[str, Any] = {
            "key": wanted.key,
            "category": wanted.category,
            "sensitive": wanted.sensitive,
            "description": wanted.description,
        }
        what = f"{workspace}: {'sensitive ' if wanted.sensitive else ''}variable {wanted.key}"
        body = {**attributes, "value": wanted.value}
        if there is None:
            return Change(
                f"+ {what}", lambda: self._cloud.create(f"workspaces/{self._ids[workspace]}/vars", "vars", body)
            )
        same = all(there.attributes.get(key) == value for key, value in attributes.items())
        if not wanted.sensitive:
            same = same and there.attributes.get("value") == wanted.value
        if same and not (self._renew and wanted.sensitive):
            return None
        path = f"workspaces/{self._ids[workspace]}/vars/{there.id}"
        return Change(f"~ {what}", lambda: self._cloud.change(path, "vars", body))

    def _trigger(self, wanted: Wanted, there: Thing | None) -> list[Change]:
        if there is not None and wanted.after in self._ids:
            query = {"filter[run-trigger][type]": "inbound"}
            triggers = self._cloud.list(f"workspaces/{there.id}/run-triggers", **query)
            if self._ids[wanted.after] in (one.related.get("sourceable") for one in triggers):
                return []

        def make() -> None:
            path = f"workspaces/{self._ids[wanted.name]}/run-triggers"
            self._cloud.create(path, "run-triggers", {}, {"sourceable": ("workspaces", self._ids[wanted.after])})

        return [Change(f"+ run trigger {wanted.after} → {wanted.name}", make)]

    def _pool(self, name: str) -> str:
        if not self._pools:
            pools = self._cloud.list(f"{self._root}/agent-pools")
            self._pools = {str(one.attributes["name"]): one.id for one in pools}
        if name not in self._pools:
            raise ConfigError(
                f"no agent pool {name} (there are: {', '.join(sorted(self._pools)) or 'none'})",
                hint="make it and start an agent, or correct state.cloud.agent_pool",
            )
        return self._pools[name]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value is None else str(value)
