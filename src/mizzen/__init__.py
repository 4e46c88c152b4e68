"""Mizzen: the AI operating system that speaks Kubernetes.

Packages import downwards only; `.importlinter` says the order and checks it.
"""

__version__ = "0.2.0.dev0"
