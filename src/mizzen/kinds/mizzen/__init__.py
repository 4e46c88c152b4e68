"""Mizzen's own kinds, where upstream has none."""
