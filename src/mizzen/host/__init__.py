"""The machine as it is: real clock, folders, keys and certificates, ports, processes.

Deliberately lacks: decisions and API objects. Only shells (`run.py`, compose, cli) use it.
"""
