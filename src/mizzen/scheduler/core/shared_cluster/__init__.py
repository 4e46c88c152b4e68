"""Scheduling beside another scheduler, on an API server without Plans.

`handover` says which nodes and devices are Mizzen's, `doubles` finds what two claims hold at once;
`intent` is a decision of several writes before they begin, `recovery` what ends it once cut short.
Deliberately lacks: the writes, which `single_writes.py` makes.
"""
