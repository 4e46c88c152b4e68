"""Objects by key with one revision sequence: transactions, history, watch.

Acknowledged means on disk; visible only once it is. One process writes.
Deliberately lacks: schemas, defaults, selectors, HTTP. Only the API server and the
wiring may import it.
"""
