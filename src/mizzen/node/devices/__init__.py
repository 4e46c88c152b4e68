"""Device plug-ins: every module here with a `discover(config)` is asked at start.

A plug-in that finds none of its devices returns an empty list and says nothing.
"""
