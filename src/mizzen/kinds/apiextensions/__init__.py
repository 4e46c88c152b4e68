"""Kinds of `apiextensions.k8s.io`: kinds that users define."""
