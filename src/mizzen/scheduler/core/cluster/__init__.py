"""The cluster as one incremental state: nodes by signature, devices held, claims, pods, domains.

Fed by what changed and never rebuilt. Nodes with equal *signature* (static class, device layout,
free amounts, devices held) answer every question alike, so answers are worked out once for each
signature and remembered. Everything can be undone back to a mark.
Deliberately lacks: the choice of places (`core/placing`) and of victims (`core/preemption`).
"""
