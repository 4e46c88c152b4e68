"""Reasons for waiting, and the smallest change that would place it, as values.

`changes` are the values, `smallest` finds them and tries each in the cluster as it stands before it
is named, `reasons` groups what nodes refused, `record` is what is written on the object.
Deliberately lacks: a second idea of what fits; everything is asked of placing itself.
"""
