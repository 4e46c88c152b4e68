"""Solves for the cheapest set that frees enough, proven minimal: a library over small integers.

`problem` is what it is told, `objective` what it minimises, `choose` its answer. For large clusters
`ranking` first orders topology domains by what freeing each costs at least, from totals, so that
only the best few are ever spelled out. Deliberately lacks: pods, nodes and devices as objects, and
placing itself, which a caller may bring in as the callback `Fits`.
"""
