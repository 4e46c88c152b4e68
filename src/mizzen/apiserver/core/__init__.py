"""What the API server decides, as functions over plain values: no store, clock or chance."""
