"""The controllers' decisions: `reconcile(view, key, now_ns) -> list[Action]`, one file each.

No I/O, no clock, no chance in here: values in, actions out.
"""
