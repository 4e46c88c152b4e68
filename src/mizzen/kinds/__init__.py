"""API types: one file per kind yields schema, defaults, validation, columns and OpenAPI.

Values in, values out. Deliberately lacks: I/O, clocks, the store, and any knowledge of who
calls. Everything the API server does differently for one kind than for another is said here.
"""
