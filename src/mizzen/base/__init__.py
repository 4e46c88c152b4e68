"""Pure words that every other package may use: objects, names, errors, quantities, clocks.

Deliberately lacks: I/O, clocks that tick, chance, and anything that imports another
`mizzen` package. A module belongs here only if it could be its own library.
"""
