"""Kinds of metrics.k8s.io: what nodes and pods use, as `kubectl top` asks for it."""
