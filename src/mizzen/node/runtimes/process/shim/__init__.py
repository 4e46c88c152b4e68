"""The parent of all pod processes: one small, single-threaded process that outlives the agent.

It imports nothing but the standard library, so that it starts in tens of milliseconds,
holds under 15 MB and forks cheaply. It decides nothing: it spawns, copies output, reaps.
"""
