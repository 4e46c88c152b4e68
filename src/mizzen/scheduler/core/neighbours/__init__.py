"""Rules of which pods may be near each other: required pod (anti-)affinity, topology spread, host ports.

`requirements.py` reads what a pod asks, `index.py` knows who is where, `verdict.py` is the predicate that
one node must pass. It is asked by placing, so preemption and explanations, which place, ask it too.
Pods that ask nothing of their neighbours, and that no neighbour minds, are counted as ever.
"""
