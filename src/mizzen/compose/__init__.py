"""Wires one process out of parts: `python -m mizzen.compose ROLE --home DIR`.

Deliberately lacks: any decision about workloads. It chooses ports, makes keys, starts the
roles and keeps them running. Each role imports only what it needs.
"""
