"""One file per library that computes models in this process, each with its `BACKEND`."""
