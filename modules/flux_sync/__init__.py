"""What Flux deploys: the repository, the root Kustomization, the cluster's settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blackstart.config.model import Git
from blackstart.config.ports import git_port
from modules.cdktf import (
    Construct,
    ITerraformDependable,
    Secret,
    SecretV1,
    TerraformStack,
    TerraformVariable,
    literal,
)
from modules.flux_install import release
from modules.place import Place
from modules.sops_age_secret import revision, secret, secret_variable

CHART = Path(__file__).parent / "flux-sync"
CREDENTIALS = "git-credentials"


class FluxSync(Construct):
    """Helm release `flux-sync` of our own chart; before it, Secret `git-credentials` where the remote asks for it."""

    def __init__(self, stack: TerraformStack, place: Place, after: Sequence[ITerraformDependable]) -> None:
        super().__init__(stack, "flux-sync-module")
        before = [*after, *_credentials(stack, place, after)]
        suspended = TerraformVariable(
            stack,
            "suspended",
            type="string",
            default="[]",
            description="JSON list of the layers that are born suspended, until the data before them is restored",
        )
        self.release = release(
            stack,
            place,
            CHART,
            after=before,
            values=[
                literal(json.dumps(values(place), sort_keys=True)),
                f'${{yamlencode({{"suspended" = jsondecode({suspended.fqn})}})}}',
            ],
        )


def values(place: Place) -> dict[str, Any]:
    """The chart's values, public all of them."""
    git = place.config.git
    return {
        "git": {
            "url": _url(git, place.cluster),
            "branch": git.branch,
            "path": f"./{git.path.strip('/')}",
            "secret": "" if git.auth.kind == "none" else CREDENTIALS,
            "provider": "github" if git.auth.kind == "github_app" else "",
        },
        "settings": place.config.cluster_settings,
    }


def _url(git: Git, cluster: str) -> str:
    return f"http://127.0.0.1:{git_port(cluster)}/git.git" if git.is_worktree else git.url


def _credentials(stack: TerraformStack, place: Place, after: Sequence[ITerraformDependable]) -> list[Secret | SecretV1]:
    auth = place.config.git.auth
    if auth.kind == "none":
        return []
    given = secret_variable(stack, place, "git_credentials", "JSON object: the data of the Git remote's Secret")
    public = json.dumps(auth.model_dump(), sort_keys=True)
    data = f"${{jsondecode({given.fqn})}}"
    return [secret(stack, place, CREDENTIALS, data=data, revision=revision(public), after=after)]
