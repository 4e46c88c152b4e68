"""The API server's decisions, as functions over plain values: no store, clock or chance."""
