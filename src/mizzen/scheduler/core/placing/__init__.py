"""Places for pods and gangs: topology domains, nodes, devices, all or none.

`counts.py` keeps how many pods of a shape each domain takes, so that the domain that fits best is
found without looking at nodes. `single.py` and `gangs.py` choose by it; pods that no count
can describe (claims shared or already allocated, devices of no single node, nodes by name) go
through `exact.py`, which asks each node. A gang is one transaction: whole, or undone.
"""
