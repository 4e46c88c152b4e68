"""The ways to run pods on this machine: one file or package each, found by its `RUNTIME`."""
