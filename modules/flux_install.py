"""Flux itself: its CRDs, then its controllers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blackstart.config.cache import FLUX_CHARTS, flux_chart
from blackstart.errors import MissingTool
from modules.cdktf import AssetType, Construct, ITerraformDependable, Release, TerraformAsset, TerraformStack
from modules.place import NAMESPACE, Place

# A layer's health check polls every 5 s; with this a reconcile request starts it anew at once (decision 0020).
PROMPT = '{"extraArgs": {"kustomize-controller": ["--feature-gates=CancelHealthCheckOnNewRevision=true"]}}'


class FluxInstall(Construct):
    """Helm releases `flux-crds` and `flux`, from the charts that the toolchain has assembled.

    The CRDs are a release of their own, as templates: Helm never upgrades what stands in a chart's `crds/`. Only they
    are waited for; whether controllers are well is a gate's question, and a failed wait would taint the release.
    """

    def __init__(self, stack: TerraformStack, place: Place, after: Sequence[ITerraformDependable]) -> None:
        super().__init__(stack, "flux-install")
        crds, flux = (_installed(name, place.config.flux.version) for name in FLUX_CHARTS)
        self.crds = release(stack, place, crds, after=after, wait=True)
        self.controllers = release(stack, place, flux, after=[self.crds], values=[PROMPT])


def release(
    stack: TerraformStack,
    place: Place,
    chart: Path,
    *,
    after: Sequence[ITerraformDependable],
    values: Sequence[str] = (),
    wait: bool = False,
) -> Release:
    """A Helm release named like its chart's folder, which travels inside the stack; `values` are YAML documents."""
    asset = TerraformAsset(stack, f"{chart.name}-chart", path=str(chart), type=AssetType.DIRECTORY)
    return Release(
        stack,
        chart.name,
        name=chart.name,
        namespace=NAMESPACE,
        chart=f"./{asset.path}",
        values=list(values) or None,
        wait=wait,
        timeout=place.config.timeouts.flux,
        max_history=5,
        depends_on=list(after),
    )


def _installed(name: str, version: str) -> Path:
    chart = flux_chart(name, version)
    if not (chart / "Chart.yaml").is_file():
        raise MissingTool(f"the chart {name} of Flux {version} is not installed", hint="blackstart toolchain install")
    return chart
