"""Pods as plain processes of the user who runs Mizzen: no isolation, for trusted programs only."""
