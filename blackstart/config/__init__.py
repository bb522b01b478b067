"""First stage of the flow: one YAML file a cluster in, a validated `ClusterConfig` out."""

from blackstart.config.load import load, names
from blackstart.config.model import ClusterConfig
from blackstart.config.workspace import Workspace

__all__ = ["ClusterConfig", "Workspace", "load", "names"]
