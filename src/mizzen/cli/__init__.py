"""The `mizzen` command: verbs that print, never decide.

Deliberately lacks: knowledge of the store, and anything that must be imported before it is
known which verb was typed (`mizzen --help` answers in a fifth of a second).
"""
