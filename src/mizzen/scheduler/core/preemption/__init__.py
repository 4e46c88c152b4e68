"""Decides who is evicted so that a more important pod or gang fits, and proves it by placing.

`candidates` says who may leave, in which steps and at what cost; `victims` is asked, and searches a
small cluster itself; `by_devices` and `by_amounts` search a large one where it is cheapest. All put
their question to `solver`. Deliberately lacks: evicting, which `render` writes.
"""
