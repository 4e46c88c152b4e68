"""Every gang and topology convention of the field, read into one set of values.

`gang.py` and `topology.py` hold the values; one file each reads one convention. All are pure
functions over API objects. What contradicts itself comes back as a `Refused`, never as an exception.
"""
