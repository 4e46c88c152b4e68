"""One adapter per framework, `FRAMEWORK` of a file that has its name (`mizzen.train.framework`).

Deliberately lacks imports: only the adapter that is asked for is loaded, its framework with it.
"""
