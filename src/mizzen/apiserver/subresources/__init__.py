"""Handlers of subresources by file: `log.py` is all of pods/log, for every kind that has it.

HANDLERS has one handler for each verb of `kinds.subresource.Subresource`.
"""
