"""The exact device allocator of resource.k8s.io/v1: values in, allocations or reasons out.

The scheduler asks in order `pack` with all features on. The order `compat`, with all in the folder of
that name, the variants of upstream's allocator (`features`) and quantities equal as Go's pointers
are, serve `mizzen allocate` and the comparison with upstream alone. Deliberately lacks: CEL (behind
`model.Selectors`), pods and queues (its callers), any I/O.
"""
