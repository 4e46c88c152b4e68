"""Carries connections to Services' addresses to their endpoints: one small process of its own.

Bytes that it moves take no turn of the agent's loop. It imports nothing but the standard library,
decides nothing and knows no objects: the agent tells it which address leads to which endpoints
(`table.py`) and is told where it cannot listen. It ends with the agent.
"""
