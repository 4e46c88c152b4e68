"""One file per inference engine, found by the name in its `PROFILE`."""
