"""The versions of the two pairs of Terraform providers: one rule for the stacks, which ask for them, and the
toolchain, which locks them (decision 0002)."""

from __future__ import annotations

VERSIONS = {
    "builtin": {"kubernetes": "1.13.4", "helm": "1.3.2"},
    "registry": {"kubernetes": ">= 3.2.1, < 4.0.0", "helm": ">= 3.1.2, < 4.0.0"},
}
