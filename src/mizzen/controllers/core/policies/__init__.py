"""One file per framework that a runtime's `mlPolicy` may name, each with its `POLICY`."""
