"""The scheduler's decisions as pure functions: the cluster and a queue in, a plan out.

Deliberately lacks: clocks, I/O, chance, and the CEL engine, which comes in through a protocol.
"""
