"""Makes a repository's next cluster: answers in; its files out, all of them or none (issue 6)."""

from blackstart.init.adopt import Found, find
from blackstart.init.answers import Answers
from blackstart.init.scaffold import Plan, plan

__all__ = ["Answers", "Found", "Plan", "find", "plan"]
