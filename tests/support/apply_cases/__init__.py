"""Sequences of writes by several managers, and what both API servers are to make of them."""
