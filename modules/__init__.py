"""Constructs: each takes a `Place` and what it depends on, reads nothing else, and adds its resources to a stack."""
