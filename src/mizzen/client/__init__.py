"""The components' client of the Kubernetes API: requests, informers, queues.

Deliberately lacks: schemas (the API server owns them) and retries of writes. Only reads and
watches are repeated here; whoever wrote something and got no answer must look before it leaps.
"""
