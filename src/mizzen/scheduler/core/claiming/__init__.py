"""The surroundings of the allocator `dra`: how pods come to claims, and what claims bring along.

`claims` reads them; `extended` and `unmade` make them of resource names; `taint_rules` and
`group_claims` apply other objects to them; `node_allocatable` charges nodes for them;
`binding_conditions` and `awaiting` hold a bind until the devices are ready.
Deliberately lacks: the choice of devices.
"""
