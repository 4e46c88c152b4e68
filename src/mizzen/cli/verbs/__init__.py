"""One verb per module, found by its file name; each defines `VERB`."""
