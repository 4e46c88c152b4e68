"""Roles and bindings: who may do what. What decides by them is the API server."""
