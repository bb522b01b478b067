"""Follows the newest runs of many workspaces from one process, however many they are (issue 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from blackstart.errors import GateTimeout, ToolFailed
from blackstart.tools.cloud_run import GOOD, POLL, why
from blackstart.tools.terraform_cloud import NotThere, TerraformCloud, Thing


@dataclass(frozen=True, slots=True)
class NewestRun:
    """The newest run of a workspace; `link` is its page."""

    workspace: str
    id: str
    link: str


def newest_runs(cloud: TerraformCloud, organization: str, names: Sequence[str]) -> Iterator[NewestRun]:
    """Those of the workspaces `names` that have one: one request a hundred workspaces of the organization.

    Raises NotThere for a workspace that is not there.
    """
    found = {str(one.attributes["name"]): one for one in cloud.list(f"organizations/{organization}/workspaces")}
    for name in names:
        if name not in found:
            raise NotThere(f"no workspace {organization}/{name}", hint="blackstart cloud setup --dry-run")
        run = found[name].related.get("current-run")
        if run:
            link = f"https://{cloud.hostname}/app/{organization}/workspaces/{name}/runs/{run}"
            yield NewestRun(name, run, link)


def follow(
    cloud: TerraformCloud, runs: Sequence[NewestRun], told: Callable[[NewestRun, Thing], None], seconds: float
) -> None:
    """Until each is done; a round asks once for each that is not. `told` hears of every change of state.

    Raises GateTimeout after `seconds`, the runs themselves are left alone; ToolFailed when one did not end well.
    """
    deadline = cloud.clock() + seconds
    last: dict[str, str] = {}
    left = list(runs)
    while left:
        going = []
        for one in left:
            run = cloud.get(f"runs/{one.id}")
            state = why(run) or str(run.attributes["status"])
            if last.get(one.id) != state:
                last[one.id] = state
                told(one, run)
            if why(run):
                going.append(one)
        left = going
        if left and cloud.clock() > deadline:
            what = "\n".join(f"{one.workspace}: {last[one.id]} · {one.link}" for one in left)
            raise GateTimeout(f"{len(left)} runs are not done\n{what}", hint="they go on by themselves; the same again")
        if left:
            cloud.pause(POLL)
    bad = [one for one in runs if last[one.id] not in GOOD]
    if bad:
        what = "\n".join(f"{one.workspace}: {last[one.id]} · {one.link}" for one in bad)
        raise ToolFailed(f"{len(bad)} runs did not end well\n{what}", hint="read their logs, then: blackstart up")
