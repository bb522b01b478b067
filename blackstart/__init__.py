"""blackstart brings a GitOps cluster back from nothing."""

__version__ = "0.1.0"
