"""One module per process: each wires its parts and imports nothing of the others."""
