"""Kinds of policy/v1: what may be disrupted."""
