"""What answers subresources: the file `log.py` is all of pods/log, whichever kinds say they have it.

HANDLERS has one handler for each verb of `kinds.subresource.Subresource`.
"""
