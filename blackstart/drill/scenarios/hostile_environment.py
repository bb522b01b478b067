"""Every variable that redirects a provider, or makes it log, is set to a trap."""

from __future__ import annotations

from blackstart.drill.bed import Bed
from blackstart.drill.scenario import Damage, Scenario

TRAPS = {
    "KUBE_HOST": "https://127.0.0.1:1",
    "KUBE_TOKEN": "trap",
    "KUBE_CONFIG_PATH": "/nonexistent",
    "KUBECONFIG": "/nonexistent",
    "HELM_NAMESPACE": "trap",
    "HELM_KUBEAPISERVER": "https://127.0.0.1:1",
    "TF_CLI_ARGS": "-destroy",
    "TF_CLI_ARGS_apply": "-destroy",
    "TF_WORKSPACE": "trap",
    "TF_DATA_DIR": "/nonexistent",
    "TF_LOG": "TRACE",
    "TF_VAR_age_key": "trap",
    "GIT_DIR": "/nonexistent",
    "GIT_INDEX_FILE": "/nonexistent",
}


def fault(bed: Bed, seed: int) -> Damage:
    """Delete the key's Secret, so that there is something to do, and set the traps."""
    bed.api().delete("Secret", "sops-age", "flux-system")
    return Damage(env=TRAPS)


SCENARIO = Scenario("hostile-environment", fault)
