"""The exact device allocator of resource.k8s.io/v1: values in, allocations or reasons out.

Deliberately lacks: CEL (behind `model.Selectors`), pods and queues (its callers), any I/O.
"""
