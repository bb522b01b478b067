"""What `flux bootstrap` leaves in a repository."""

from __future__ import annotations


def sync(url: str, branch: str) -> str:
    """Its `gotk-sync.yaml`: the source and the root Kustomization of path clusters/staging."""
    return f"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: flux-system, namespace: flux-system}}
spec:
  interval: 1m0s
  ref: {{branch: {branch}}}
  secretRef: {{name: flux-system}}
  url: {url}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: flux-system, namespace: flux-system}}
spec:
  interval: 10m0s
  path: ./clusters/staging
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
"""
