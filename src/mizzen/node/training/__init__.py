"""Training as the node agent carries it: gangs, their shared-memory files, durable checkpoints.

Deliberately lacks: frameworks (a program's own matter) and decisions, which are `node/core/gang.py`'s.
"""
