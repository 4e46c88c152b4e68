"""One file each with a `PLUGIN`: called with the Context, it returns a `Plugin` (admission_chain.py).

Deliberately lacks: what a kind asks of its own objects, which `kinds` says.
"""
