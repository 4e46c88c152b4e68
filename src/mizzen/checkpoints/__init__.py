"""Storage for training state: tiers, from shared memory to storage that outlives the machine.

The node agent writes from tier to tier, the training library reads the newest that is whole. A
tier is a file of `tiers`; what is kept and which is taken is decided here, once for all tiers.

Deliberately lacks: numpy (the agent has none), frameworks, API objects.
"""
