"""One file per picker, found by the name in its `PICKER`."""
