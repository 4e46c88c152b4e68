"""Handlers of virtual kinds, which are not stored, by file: `plans.py` is all of the plans.

HANDLERS has one handler for each verb that the kind has.
"""
