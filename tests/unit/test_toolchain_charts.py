"""How upstream's manifests become templates."""

from pathlib import Path

from blackstart.toolchain.charts import configurable, configured_versions, escape, kept

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: kustomize-controller
spec:
  template:
    spec:
      containers:
      - args:
        - --log-level=info
        - --enable-leader-election
        env:
        - name: X
        image: fluxcd/kustomize-controller:v1.9.4
"""


def test_braces_of_upstream_reach_the_cluster_as_they_are() -> None:
    assert escape("a: '{{ b }}'") == """a: '{{ "{{" }} b {{ "}}" }}'"""


def test_a_crd_is_kept_beside_the_annotations_it_has() -> None:
    crd = "kind: CustomResourceDefinition\nmetadata:\n  annotations:\n    by: gen\n  name: a\n"
    assert "  annotations:\n    helm.sh/resource-policy: keep\n    by: gen\n" in kept(crd)


def test_a_crd_without_annotations_is_kept() -> None:
    crd = "kind: CustomResourceDefinition\nmetadata:\n  name: a\n"
    assert "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n  name: a\n" in kept(crd)


def test_the_registry_is_a_value() -> None:
    assert "image: {{ .Values.registry }}/fluxcd/kustomize-controller:v1.9.4\n" in configurable(DEPLOYMENT)


def test_more_arguments_follow_those_of_the_controller() -> None:
    lines = configurable(DEPLOYMENT).splitlines()
    after = lines.index("        - --enable-leader-election")
    assert lines[after + 1 : after + 4] == [
        '        {{- range index .Values.extraArgs "kustomize-controller" }}',
        "        - {{ . | quote }}",
        "        {{- end }}",
    ]
    assert lines[after + 4] == "        env:"


def test_the_namespace_is_the_release_s() -> None:
    binding = "kind: ClusterRoleBinding\nmetadata:\n  name: a\nsubjects:\n- name: b\n  namespace: flux-system\n"
    assert "  namespace: {{ .Release.Namespace }}\n" in configurable(binding)


def test_every_flux_version_of_the_clusters_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("flux: {version: 2.8.8}\n")
    (tmp_path / "b.yaml").write_text("flux:\n  chart: x\n")
    (tmp_path / "broken.yaml").write_text("flux: {version: [\n")
    assert configured_versions(tmp_path) == ("2.8.8", "2.9.4")
