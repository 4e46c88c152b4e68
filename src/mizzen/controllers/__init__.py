"""The controllers: each makes the world match one kind of object.

`core/<name>.py` decides (pure), `run.py` watches and writes. Deliberately lacks: any controller
named outside `core/`; a new file there with a `CONTROLLER` is all that a new one takes.
"""
